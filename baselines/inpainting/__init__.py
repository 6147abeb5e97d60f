"""Inpainters: what fills the cracks of a painting, given where they are.

>>> import numpy as np
>>> from baselines.registry import get_inpainter
>>> image = np.full((4, 6, 3), 200, np.uint8)
>>> crack = np.zeros((4, 6), np.bool_)
>>> image[1:3], crack[1:3] = 30, True
>>> get_inpainter("diffusion", steps=10).fill(image, crack)[1, 1].tolist()
[200, 200, 200]

| name | file | what |
|---|---|---|
| `mtm` | `mtm` | modified trimmed mean (paper A), from the edge of a crack inwards |
| `diffusion` | `diffusion` | anisotropic diffusion (paper A, eq. 5) |
| `telea`, `navier_stokes` | `opencv` | OpenCV's two, as peers |
| `unet_inpaint`, `ur_net` | `unet` | paper B's, and with residual blocks |
| `unet_inpaint_large`, `unet_inpaint_small` | the same | ours: they add detail to a smooth filling |
| `partial_conv`, `shift_net`, `gan_unet` | the same | three more U-Nets, one a stand-in |
| `lama` | `lama`, `lama_network`, `torchscript` | LaMa with its public weights |
| `photo_restoration` | the same, `photo_restoration_network` | Bringing Old Photos Back to Life |
| | `networks`, `losses`, `architectures`, `learned` | such networks, how they learn, and how they are run |
| | `surroundings` | the masked px and those beside them as a table: costs grow with the cracks |
| | `checks` | what can be filled, and the check that an answer is a filling |

All leave every px outside the mask as it is, bit for bit, and return a new array; with an empty mask it is a
copy of the image. A mask of the whole picture is a ValueError: nothing is known that it could be filled from.
"""
