"""AWS: policy search with weights that are shared by all trials."""

from learnaug.methods.aws.augmenter import FORMAT as FORMAT
from learnaug.methods.aws.augmenter import Searched as Searched
from learnaug.methods.aws.augmenter import load as load
from learnaug.methods.aws.method import AWS as AWS
from learnaug.methods.aws.paper import PaperAWS as PaperAWS
