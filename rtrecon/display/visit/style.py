"""The look of what is chosen and read, beside the live view's."""

from rtrecon.display.theme import (
    BACKGROUND,
    DIM,
    EDGE,
    GREEN,
    GREY,
    ORANGE,
    PANEL,
    SKY,
    TEXT,
    VERMILLION,
    style_sheet,
)


def page_style(letter: int) -> str:
    """Style of the pages around the live view, for letters of so many pixels."""
    small = round(letter * 0.88)
    return (
        style_sheet(letter)
        + f"""
    QLineEdit, QComboBox, QListWidget {{ background: {PANEL}; border: 2px solid {EDGE};
        border-radius: 6px; padding: {letter // 4}px {letter // 2}px; selection-background-color: {SKY};
        selection-color: {BACKGROUND}; }}
    QComboBox QLineEdit {{ border: none; padding: 0; }}
    QComboBox::drop-down {{ border: none; width: {letter * 2}px; }}
    QComboBox::down-arrow {{ image: none; width: 0; height: 0; border-left: {letter // 3}px solid {PANEL};
        border-right: {letter // 3}px solid {PANEL}; border-top: {letter // 2}px solid {TEXT}; }}
    QComboBox[plain="true"]::drop-down {{ width: 0; }}
    QComboBox[plain="true"]::down-arrow {{ border: none; }}
    QComboBox QAbstractItemView {{ background: {PANEL}; color: {TEXT};
        selection-background-color: {SKY}; selection-color: {BACKGROUND}; }}
    QLineEdit:focus, QComboBox:focus, QListWidget:focus, QScrollArea:focus {{ border-color: {SKY}; }}
    QListWidget::item {{ padding: {letter // 4}px; }}
    QListWidget::item:selected {{ background: {SKY}; color: {BACKGROUND}; }}
    QPushButton:focus, QCheckBox:focus {{ border: 2px solid {SKY}; }}
    QCheckBox {{ border: 2px solid transparent; border-radius: 4px; padding: 2px; }}
    QPushButton[role="go"] {{ background: {GREEN}; color: white; font-size: {round(letter * 1.2)}px;
        padding: {letter // 2}px {letter * 2}px; }}
    QPushButton[role="go"]:disabled {{ background: {PANEL}; color: {GREY}; }}
    QPushButton[role="go"]:focus {{ border: 2px solid {TEXT}; }}
    QLabel[role="mark"] {{ font-weight: bold; border-radius: {letter // 3}px; color: {BACKGROUND};
        padding: 1px {letter // 2}px; background: {GREY}; }}
    QLabel[found="ok"] {{ background: {GREEN}; color: white; }}
    QLabel[found="look"] {{ background: {ORANGE}; }}
    QLabel[found="bad"] {{ background: {VERMILLION}; }}
    QLabel[role="way"] {{ color: {ORANGE}; font-weight: bold; }}
    QLabel[role="found"] {{ font-weight: bold; }}
    QLabel[role="heading"] {{ font-size: {round(letter * 1.35)}px; font-weight: bold; }}
    QLabel[role="figure"] {{ font-size: {round(letter * 2.2)}px; font-weight: bold; }}
    QLabel[role="figure"][alarm="true"] {{ color: {VERMILLION}; }}
    QLabel[role="keys"] {{ color: {DIM}; font-size: {small}px; }}
    QProgressBar {{ background: {EDGE}; border: none; border-radius: 3px; max-height: 6px; }}
    QProgressBar::chunk {{ background: {SKY}; border-radius: 3px; }}
    QScrollArea {{ background: {PANEL}; border: 2px solid {EDGE}; border-radius: 8px; }}
    QScrollBar:vertical {{ background: {PANEL}; width: {letter}px; }}
    QScrollBar::handle:vertical {{ background: {GREY}; border-radius: {letter // 3}px; min-height: {letter * 2}px; }}
    QScrollBar::add-line:vertical, QScrollBar::sub-line:vertical {{ height: 0; }}
    """
    )
