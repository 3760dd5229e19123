"""Whatever names a policy, as one policy: what every adapter and exporter begins with."""

from __future__ import annotations

from pathlib import Path

from learnaug.errors import UsageError
from learnaug.methods import PolicyAugmenter, load_augmenter, policy_of
from learnaug.ops import Policy
from learnaug.training import Augmenter

__all__ = ["Source", "as_augmenter", "as_policy"]

Source = Policy | Augmenter | str | Path


def as_augmenter(source: Source) -> Augmenter:
    """Return the augmenter that a policy, a method's name, a file or a folder stands for.

    Args:
        source: a policy, an augmenter, a method's name such as "flip-crop+cutout", a policy file,
            or a folder that `learnaug train` or `learnaug compare` wrote.

    Raises:
        UsageError: neither a file nor a known name.
        ConfigError: the file is no augmenter of ours.

    Example:
        >>> as_augmenter("cutout")
        PolicyAugmenter('cutout')
    """
    if isinstance(source, Policy):
        return PolicyAugmenter(source)
    return load_augmenter(source) if isinstance(source, str | Path) else source


def as_policy(source: Source) -> Policy:
    """Return the one policy that does what the source does; a chain is joined end to end.

    Args:
        source: as for `as_augmenter`.

    Raises:
        UsageError: neither a file nor a known name; or the augmenter is more than a policy.
        ConfigError: the file is no augmenter of ours.

    Example:
        >>> as_policy("flip-crop+cutout").name
        'flip-crop+cutout'
    """
    augmenter = as_augmenter(source)
    policy = policy_of(augmenter)
    if policy is not None:
        return policy
    raise UsageError(
        f"a policy is needed, but {type(augmenter).__name__} is none: it has weights of its own",
        mend="augment whole batches: learnaug.interop.as_batch_transform or as_collate; a network "
        "that merges is written as ONNX by learnaug.methods.merge.export_onnx",
    )
