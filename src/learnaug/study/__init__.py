"""Many runs: plan, execute, compare; one run: train; and pictures written to a folder."""

from learnaug.study.compare import Comparison as Comparison
from learnaug.study.compare import compare as compare
from learnaug.study.plan import Plan as Plan
from learnaug.study.progress import Say as Say
from learnaug.study.single import Trained as Trained
from learnaug.study.single import resume as resume
from learnaug.study.single import train as train
from learnaug.study.stop import Interrupted as Interrupted
from learnaug.study.write import write_augmented as write_augmented
