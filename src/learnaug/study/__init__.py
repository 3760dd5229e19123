"""Many runs: plan, execute, compare; one run: train; and pictures written to a folder."""

from learnaug.study.compare import Comparison as Comparison
from learnaug.study.compare import compare as compare
from learnaug.study.learning import Lesson as Lesson
from learnaug.study.learning import learn as learn
from learnaug.study.paired import Arm as Arm
from learnaug.study.paired import Forecast as Forecast
from learnaug.study.paired import Pairs as Pairs
from learnaug.study.paired import foresee as foresee
from learnaug.study.paired import pairs as pairs
from learnaug.study.paired import read_pairs as read_pairs
from learnaug.study.paired import words_of as words_of
from learnaug.study.plan import Plan as Plan
from learnaug.study.progress import Say as Say
from learnaug.study.single import Trained as Trained
from learnaug.study.single import resume as resume
from learnaug.study.single import train as train
from learnaug.study.stop import Interrupted as Interrupted
from learnaug.study.write import write_augmented as write_augmented
