"""Detectors and inpainters. Torch, where it is installed, lives here and nowhere else.

| file | what |
|---|---|
| `protocols` | what a detector and an inpainter are, and the check that an answer is one |
| `registry` | detectors and inpainters by name, by ``package.module:Class`` and by entry point |
| `tophat` | paper A, section III-A |
| `grassfire` | Giakoumis, Nikolaidis and Pitas (2006), with seeds chosen by rule |
| `ridge` | curvature of luminance at several scales |
| `constant` | nothing, and everything: what a figure is worth |
| `components`, `settings` | what they share |
| `learned` | detectors that were trained, by the name of their network |
| `photo_restoration` (`_network`) | scratch detector of Bringing Old Photos Back to Life, public weights |
| `inference`, `tiles` | a network on an image of any size |
| `weights`, `weight_files`, `weight_hub` | weights written, checked, read, found; ours: `weights/` |
| `torch_checkpoints` | tensors of files of torch.save, read without unpickling |
"""
