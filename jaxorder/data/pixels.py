"""From an image file's picture to the array that a network is given."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    import PIL.Image

_GREY = ("1", "L")
_DEEP = ("I", "F")  # 32-bit integers and floats; "I;16" and the like are 16-bit


def pixels(
    image: "PIL.Image.Image", resize: int | None = None
) -> UInt8[np.ndarray, "height width channel"]:
    """Return the pixels of an image, grey as one channel and colour as three.

    Args:
        image: A picture of 8 bits a channel, as PIL opens it. An alpha channel is
            dropped; palettes and other colour spaces become RGB.
        resize: Pixels to bring both sides to (bilinear, antialiased); None leaves
            them.

    Returns:
        Values in 0..255.

    Raises:
        ValueError: The image has more than 8 bits a channel, or is in a mode that PIL
            cannot turn into RGB.

    Example:
        >>> from PIL import Image
        >>> pixels(Image.new("RGBA", (4, 2), (255, 0, 7, 128)))[0, 0].tolist()
        [255, 0, 7]
        >>> pixels(Image.new("L", (4, 2)), resize=3).shape
        (3, 3, 1)
    """
    if image.mode in _DEEP or image.mode.startswith("I;16"):
        raise ValueError(
            f"it has more than 8 bits a channel (PIL's mode {image.mode}); convert it "
            "to 8 bits"
        )
    if image.mode == "P":  # PIL warns where a palette's alpha is dropped at once
        image = image.convert("RGBA")
    wanted = "L" if image.mode in _GREY else "RGB"
    if image.mode != wanted:  # before the size: of other modes PIL takes nearest pixels
        image = image.convert(wanted)
    if resize is not None:
        from PIL import Image

        image = image.resize((resize, resize), Image.Resampling.BILINEAR)
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array
