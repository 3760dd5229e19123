"""Operations: declared in one table, lowered to four primitives, drawn first and then applied."""

from learnaug.ops.apply import Backend as Backend
from learnaug.ops.apply import apply as apply
from learnaug.ops.apply import apply_masks as apply_masks
from learnaug.ops.apply import mix_targets as mix_targets
from learnaug.ops.apply import prepare as prepare
from learnaug.ops.boxes import apply_boxes as apply_boxes
from learnaug.ops.boxes import apply_points as apply_points
from learnaug.ops.describe import describe as describe
from learnaug.ops.draw import Drawn as Drawn
from learnaug.ops.draw import draw as draw
from learnaug.ops.policy import Element as Element
from learnaug.ops.policy import Policy as Policy
from learnaug.ops.policy import Stage as Stage
from learnaug.ops.restrict import restrict as restrict
from learnaug.ops.restrict import without as without
from learnaug.ops.sets import OperationSet as OperationSet
from learnaug.ops.table import TABLE as TABLE
from learnaug.ops.table import Op as Op
