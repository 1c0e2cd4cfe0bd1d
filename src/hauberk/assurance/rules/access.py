"""Who may enter a vault, and what he may do there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hauberk.assurance.names import ACCESS, TRAIL
from hauberk.assurance.rule import Observation, Parameter, Rule
from hauberk.assurance.rules.saying import held, percent, quoted, say
from hauberk.assurance.target import ApiKey, Identity, Target
from hauberk.assurance.text import Text, many

_POWERS = ("access.manage", "vault.admin")
_SHOWN = 5  # names in a sentence; all of them stand in the figures


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" (+{len(names) - _SHOWN})" if len(names) > _SHOWN else "")


def stale_keys(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    vault = target.vault
    if vault is None:
        return
    disabled = {one.name for one in vault.identities if one.disabled}
    stale = [one for one in vault.keys if one.identity not in disabled and _stale(one, target, settings)]
    needed = Text(
        f"keys that were used in the last {many(settings['unused_days'], 'day')}, are not older than "
        f"{many(settings['age_days'], 'day')}" + (", and end" if settings["must_end"] else ""),
        f"密钥在最近 {settings['unused_days']} 天内使用过，且不超过 {settings['age_days']} 天"
        + ("，并有到期日" if settings["must_end"] else ""),
    )
    names = [f"{one.id} ({one.identity})" for one in stale]
    if stale:
        seen = Text(
            f"{len(stale)} of {many(len(vault.keys), 'key')}: {_some(names)}",
            f"{len(vault.keys)} 个密钥中有 {len(stale)} 个：{_some(names)}",
        )
    else:
        seen = Text(
            f"{many(len(vault.keys), 'key')}, each of them in use", f"共 {len(vault.keys)} 个密钥，均在使用"
        )
    place = quoted(vault.place)
    fix = tuple(f"hauberk access key revoke {one.id} --vault {place}" for one in stale[:_SHOWN])
    yield say(held(not stale), vault.subject, seen, needed, fix=fix, keys=[one.id for one in stale])


def _stale(one: ApiKey, target: Target, settings: Mapping[str, Any]) -> bool:
    age = (target.at - one.created).total_seconds() / 86400
    idle = (target.at - (one.last_used or one.created)).total_seconds() / 86400
    endless = one.expires is None and settings["must_end"]
    return bool(endless or age > settings["age_days"] or idle > settings["unused_days"])


def _powerful(one: Identity) -> bool:
    """Whether somebody may change who may do what, or everything about the vault, everywhere."""
    denied = {(action, pattern) for effect, action, pattern in one.grants if effect == "deny"}
    return not one.disabled and any(
        effect == "allow" and action in _POWERS and (action, "*") not in denied
        for effect, action, _pattern in one.grants
    )


def wide_roles(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    vault = target.vault
    if vault is None:
        return
    powerful = [one for one in vault.identities if _powerful(one)]
    services = [one.name for one in powerful if one.kind == "service"]
    needed = Text(
        f"at most {settings['most']} who may change rights or the vault, and no service among them",
        f"可更改权限或保管库者不超过 {settings['most']} 人，且其中没有服务账户",
    )
    names = [one.name for one in powerful]
    if powerful:
        seen = Text(
            f"{len(powerful)}: {_some(names)}" + (f"; services: {_some(services)}" if services else ""),
            f"{len(powerful)} 个：{_some(names)}" + (f"；其中服务账户：{_some(services)}" if services else ""),
        )
    else:
        seen = Text("nobody but the owner of the folder", "除文件夹所有者外无人")
    chosen = (services or names)[:_SHOWN]
    fix = tuple(f"hauberk access revoke admin --from {one} --vault {quoted(vault.place)}" for one in chosen)
    good = not services and len(powerful) <= settings["most"]
    yield say(held(good), vault.subject, seen, needed, fix=fix, names=names, services=services)


def second_factor(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    vault = target.vault
    if vault is None:
        return
    people = [one for one in vault.identities if not one.disabled and "password" in one.entries]
    bare = [one.name for one in people if not one.factor]
    if bare:
        seen = Text(f"a password alone lets in: {_some(bare)}", f"仅凭密码即可进入：{_some(bare)}")
    else:
        seen = Text(
            f"{many(len(people), 'person', 'people')} with a password, each with a second factor",
            f"{len(people)} 人使用密码，均有第二因素",
        )
    fix = tuple(f"hauberk access user disable {one} --vault {quoted(vault.place)}" for one in bare[:_SHOWN])
    yield say(held(not bare), vault.subject, seen, fix=fix, names=bare)


def four_eyes(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    vault = target.vault
    if vault is None:
        return
    approvals = int(vault.policy.get("approvals", 0))
    needed = Text(
        f"at least {settings['approvals']} who agree besides the one who asks",
        f"除申请人外至少 {settings['approvals']} 人同意",
    )
    seen = Text(f"{many(approvals, 'person is', 'people are')} asked for", f"要求 {approvals} 人同意")
    fix = f"edit {quoted(vault.place)}/vault.toml: [policy] approvals = {settings['approvals']}"
    yield say(
        held(approvals >= settings["approvals"]), vault.subject, seen, needed, fix=(fix,), approvals=approvals
    )


def trail(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    vault = target.vault
    if vault is None:
        return
    fix = f"hauberk access log verify --vault {quoted(vault.place)}"
    if vault.trail != "holds":
        seen = Text(f"it does not hold: {vault.trail}", f"不成立：{vault.trail}")
        yield say("failed", vault.subject, seen, fix=(fix,))
        return
    share = vault.trail_logged
    seen = Text(
        "every line follows from the one before"
        + ("" if share is None else f"; the ledger covers {percent(share)}"),
        "每一行都承接前一行" + ("" if share is None else f"；账本覆盖 {percent(share)}"),
    )
    yield say("passed", vault.subject, seen, logged=share)


def exposed(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    vault = target.vault
    if vault is None:
        return
    if vault.exposed:
        seen = Text(
            f"others may reach: {_some([one.en for one in vault.exposed])}",
            f"他人可访问：{_some([one.zh for one in vault.exposed])}",
        )
    else:
        seen = Text("keys and folder are their owner's alone", "密钥与文件夹仅其所有者可访问")
    fix = f"chmod -R go-rwx {quoted(vault.place)}"
    yield say(held(not vault.exposed), vault.subject, seen, fix=(fix,), files=[one.en for one in vault.exposed])


def _days(name: str, title: Text, low: int, standard: int, high: int) -> Parameter:
    return Parameter(
        name=name,
        unit="days",
        title=title,
        interval="[0, 36500]",
        values={"low": low, "standard": standard, "high": high},
    )


_ENTER = Text("enters with a key or password that nobody misses", "用无人留意的密钥或密码进入")

RULES = (
    Rule(
        id="access.stale-keys",
        title=Text("API keys are in use, young, and end", "API 密钥在用、不旧、有期限"),
        explanation=Text(
            "A key that nobody uses is not missed when it is stolen. When a key was last used stands in "
            "the trail.",
            "无人使用的密钥被盗也不会有人察觉。密钥最后一次使用的时间以审计轨迹为准。",
        ),
        gain=_ENTER,
        severity="medium",
        names=ACCESS,
        check=stale_keys,
        parameters=(
            _days("unused_days", Text("longest without use", "最长未使用时间"), 180, 90, 30),
            _days("age_days", Text("oldest key", "密钥最长使用年限"), 730, 365, 180),
            Parameter(
                name="must_end",
                unit="",
                title=Text("whether every key must end", "是否要求每个密钥有到期日"),
                values={"low": False, "standard": True, "high": True},
            ),
        ),
    ),
    Rule(
        id="access.wide-roles",
        title=Text("few may do everything, and no machine", "少数人拥有全部权限，且没有服务账户"),
        explanation=Text(
            "Whoever may change rights can give himself all others. Services need what they do and no more.",
            "能更改权限者可授予自己其他一切权限。服务账户只应拥有其所需。",
        ),
        gain=Text("needs one account to have them all", "只需一个账户即可掌控全部"),
        severity="medium",
        names=ACCESS,
        check=wide_roles,
        parameters=(
            Parameter(
                name="most",
                unit="identities",
                title=Text("most who may change rights", "可更改权限者的最大数目"),
                values={"low": 5, "standard": 3, "high": 2},
                interval="[0, 1000]",
            ),
        ),
    ),
    Rule(
        id="access.second-factor",
        title=Text("no password alone lets anybody in", "不能仅凭密码进入"),
        explanation=Text(
            "Passwords are guessed, reused and told. A second factor is asked of everybody who has one.",
            "密码会被猜中、重复使用或泄露。所有使用密码者都须有第二因素。",
        ),
        gain=_ENTER,
        severity="high",
        names=ACCESS,
        check=second_factor,
        since="standard",
    ),
    Rule(
        id="access.four-eyes",
        title=Text("nobody puts a model into production alone", "没有人能独自将模型投入生产"),
        explanation=Text(
            "One account that was taken over, or one person with a grudge, must not suffice.",
            "一个被盗用的账户或一个心怀不满的人不应足以做到。",
        ),
        gain=Text("releases a model of his choice from a single account", "用一个账户即可发布任意模型"),
        severity="medium",
        names=ACCESS,
        check=four_eyes,
        parameters=(
            Parameter(
                name="approvals",
                unit="people",
                title=Text("how many must agree", "须同意的人数"),
                values={"low": 0, "standard": 1, "high": 1},
                interval="[0, 16]",
            ),
        ),
        since="standard",
    ),
    Rule(
        id="access.trail",
        title=Text("the audit trail is whole", "审计轨迹完整"),
        explanation=Text(
            "Every line is hashed again from the one before and compared with the heads in the ledger, by "
            "code that "
            "shares nothing with the code that writes.",
            "由与写入代码毫无共享的程序逐行重算哈希，并与账本中的轨迹头比对。",
        ),
        gain=Text("removes the lines that tell what he did", "抹去记录其所作所为的行"),
        severity="critical",
        names=TRAIL,
        check=trail,
    ),
    Rule(
        id="access.files",
        title=Text("the vault's keys and files are their owner's alone", "保管库的密钥与文件仅属其所有者"),
        explanation=Text(
            "File rights make somebody the owner, who may do everything; the vault's key opens all of its "
            "artifacts.",
            "文件权限决定谁是所有者，所有者可以做任何事；保管库密钥可打开其中全部内容。",
        ),
        gain=Text(
            "reads the key as any user of the machine, and every model with it",
            "以该机器任一用户身份读取密钥，进而读取所有模型",
        ),
        severity="high",
        names=ACCESS,
        check=exposed,
    ),
)
