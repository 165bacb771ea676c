"""Colours of the charts, and what each becomes on a dark page."""

INK, ACCENT, PALE, BAD = "#26364a", "#2f6f9f", "#8c99a6", "#c8553d"
CLOUD = "#d9dee3"  # data in the background
GRID, PAPER = "#e8ebee", "#ffffff"
ACCENT_PALE, SCREENED, INTERVAL = "#9fc3dc", "#d8c79c", "#b9cfe0"

# The charts are drawn with the colours above. The page's script takes these instead where the
# reader's system asks for a dark page; a colour that is not here is read on both.
DARK = {
    INK: "#dbe4ee",
    ACCENT: "#6cb2e4",
    PALE: "#9aa7b4",
    BAD: "#f0836b",
    CLOUD: "#46525f",
    GRID: "#323d49",
    PAPER: "#1a222b",
    ACCENT_PALE: "#46779a",
    SCREENED: "#b7a56f",
    INTERVAL: "#3f5a72",
}
