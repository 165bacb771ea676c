"""Rules of some processes, to start from: machines, materials and resins differ.

The numbers are design rules of thumb. Those with a source are from the guides named; the others
are our own choice, and say so. They are in micrometres and hold for the printed or infiltrated
part, so that the voxel size decides how many voxels they are.
"""

from objectives.manufacturability.enclosed_void import EnclosedVoid
from objectives.manufacturability.islands import Islands
from objectives.manufacturability.local_packing import LocalPacking
from objectives.manufacturability.min_gap import MinGap
from objectives.manufacturability.min_solid import MinSolid
from objectives.manufacturability.min_void import MinVoid
from objectives.manufacturability.overhang import Overhang
from objectives.manufacturability.percolation import Percolation

# Metal by laser powder bed fusion. The solid is phase 1, layers go up along axis 0.
LASER_POWDER_BED = (
    # Walls of .4 mm: dmls3d.com/articles/dmls-design-rules.
    MinSolid(limit_um=400),
    # Holes and gaps of .5 mm: nicerapid.com, Design guidelines for direct metal laser melting.
    MinVoid(limit_um=500),
    # 45 degrees: additive.tools/learn/design-for-metal-am. The tolerated 5 % are our own choice.
    Overhang(limit_deg=45, tolerated=0.05),
    # Unmelted powder has to get out (dmls3d.com, as above); the .1 % of the volume is our choice.
    EnclosedVoid(limit=0.001),
    # A piece in loose powder is not built; the .1 % of the solid is our own choice.
    Islands(limit=0.001),
)

# Stereolithography and its kin, printed without supports inside the structure.
VAT_PHOTOPOLYMER = (
    # Supported walls of .4 mm, holes of .5 mm: addema.se/guides-sla.
    MinSolid(limit_um=400),
    MinVoid(limit_um=500),
    # Unsupported surfaces at least 19 degrees from level, 71 from the build axis: the same guide.
    Overhang(limit_deg=71, tolerated=0.05),
    # Resin has to drain, and pieces have to hang together; the shares are our own choice.
    EnclosedVoid(limit=0.001),
    Islands(limit=0.001),
)

# A section across fibres of about 7 um (phase 1), infiltrated by resin (the rest).
RESIN_TRANSFER_FIBRE = (
    # Resin flows between fibres along both axes of the section by at least .5 um: our own choice.
    Percolation(axis=0, of="void", limit_um=0.5, label="resin_way_0"),
    Percolation(axis=1, of="void", limit_um=0.5, label="resin_way_1"),
    # Dry spots: the share of resin-rich volume without a way in, our own choice.
    EnclosedVoid(limit=0.005),
    # Square packing of touching fibres fills pi/4 = .785 and hexagonal pi/(2 sqrt 3) = .907: no
    # window of three fibre diameters should be denser than the square one. The window is ours.
    LocalPacking(limit=0.785, window_um=21),
    # Fibres that touch leave no resin between them: .25 um is our own choice, and so is the erosion
    # by two thirds of a fibre's radius that tells touching fibres apart.
    MinGap(limit_um=0.25, erosion_um=2.3),
)

# Ceramic sintered from powder of about 1 um with a fugitive binder or pore former.
SINTERED_CERAMIC = (
    # Struts of five grains and pores of one are our own choice: less does not survive sintering.
    MinSolid(limit_um=5),
    MinVoid(limit_um=1),
    # The ceramic carries itself in every direction by necks of one grain: our own choice.
    Percolation(axis=0, limit_um=1, label="neck_0"),
    Percolation(axis=1, limit_um=1, label="neck_1"),
    # Binder burns out through open pores; the 2 % of closed ones are our own choice.
    EnclosedVoid(limit=0.02),
    Islands(limit=0.001),
)

PRESETS = {
    "laser_powder_bed": LASER_POWDER_BED,
    "vat_photopolymer": VAT_PHOTOPOLYMER,
    "resin_transfer_fibre": RESIN_TRANSFER_FIBRE,
    "sintered_ceramic": SINTERED_CERAMIC,
}
