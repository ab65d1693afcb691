"""The parts of the miniature model, untrained, as real diffusers and transformers classes."""

from diffusers import AutoencoderTiny, DDIMScheduler, LCMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

SIZE_PX = 128
LATENT_PX = 8
LATENT_CHANNELS = 32
TEXT_DIM = 192
TEXT_TOKENS = 28
FEW_STEPS = 20
"""Steps of the noise schedule that the distilled U-Net knows."""
DECODER_BLOCKS = (5, 4, 3, 1, 0)
COARSE_BLOCKS = (5, 4, 3, 0, 0)
"""Without the block at 64 x 64, which costs as much as all others and is trained last."""


def autoencoder(decoder_blocks: tuple[int, ...] = DECODER_BLOCKS) -> AutoencoderTiny:
    """Images (batch, 3, 128, 128) in -1..1 <-> latents (batch, 32, 8, 8).

    Four halvings instead of three: with latents of 16 x 16 x 4 the U-Net learned places and
    colours, but no shapes.
    """
    model = AutoencoderTiny(
        encoder_block_out_channels=(64,) * 5,
        decoder_block_out_channels=(64,) * 5,
        num_encoder_blocks=(0, 0, 1, 3, 4),
        num_decoder_blocks=decoder_blocks,
        latent_channels=LATENT_CHANNELS,
        scaling_factor=1.0,
    )
    start(model)
    return model


def start(model: AutoencoderTiny) -> None:
    """Give the convolutions random weights that keep the signal's size.

    With PyTorch's smaller weights it fades on its way, and the first minutes of training go by
    on a plateau.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    last = model.decoder.layers[-1]
    nn.init.normal_(last.weight, std=0.01)
    nn.init.constant_(last.bias, 0.5)  # mid grey


def text_encoder(vocabulary: int, first: int, last: int) -> CLIPTextModel:
    """Token ids (batch, 28) -> conditioning (batch, 28, 192) and its pooled form (batch, 192)."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=TEXT_DIM,
        intermediate_size=4 * TEXT_DIM,
        projection_dim=TEXT_DIM,
        num_hidden_layers=2,
        num_attention_heads=6,
        max_position_embeddings=TEXT_TOKENS,
        bos_token_id=first,
        eos_token_id=last,
        pad_token_id=last,
    )
    return CLIPTextModel._from_config(config, attn_implementation="eager")


def unet() -> UNet2DConditionModel:
    """Noisy latents (batch, 32, 8, 8), step and conditioning -> v of the same shape.

    The text also joins the time embedding, pooled from the conditioning itself, so that the
    conditioning stays one matrix that a decoder can predict.
    """
    model = UNet2DConditionModel(
        sample_size=LATENT_PX,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(112, 224),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=TEXT_DIM,
        attention_head_dim=(4, 7),
        norm_num_groups=14,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=6,
    )
    # On a CPU the fused attention's backward pass takes a quarter of a training step.
    model.set_attn_processor(AttnProcessor())
    return model


def image_encoder() -> CLIPVisionModelWithProjection:
    """Images (batch, 3, 128, 128) -> embeddings (batch, 192), where pooled captions lie."""
    config = CLIPVisionConfig(
        image_size=SIZE_PX,
        patch_size=16,
        hidden_size=TEXT_DIM,
        intermediate_size=3 * TEXT_DIM,
        num_hidden_layers=4,
        num_attention_heads=6,
        projection_dim=TEXT_DIM,
    )
    return CLIPVisionModelWithProjection._from_config(config, attn_implementation="eager")


def scheduler() -> DDIMScheduler:
    """The noise schedule of training; its last step is pure noise."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        rescale_betas_zero_snr=True,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        steps_offset=1,
        clip_sample=False,
    )


def few_step_scheduler() -> LCMScheduler:
    """The same schedule for the distilled U-Net, which knows twenty of its steps."""
    return LCMScheduler.from_config(
        scheduler().config, original_inference_steps=FEW_STEPS, set_alpha_to_one=True
    )
