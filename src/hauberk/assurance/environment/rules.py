"""The rules about the environment: what is asked, and why."""

from __future__ import annotations

from hauberk.assurance.environment import checks
from hauberk.assurance.names import ACCESS, MACHINE, SUPPLY, TAMPERING
from hauberk.assurance.rule import Parameter, Rule
from hauberk.assurance.text import Text

RULES = (
    Rule(
        id="environment.vulnerable-packages",
        title=Text("no package with a published flaw", "软件包没有已公开的漏洞"),
        explanation=Text(
            "Every installed package and every one in a lock file is held against OSV's advisories: a "
            "downloaded copy (--osv), or the service (--online). A flaw has the severity that its advisory "
            "gives; one without counts as high. Packages that work on models are named first.",
            "将已安装的和锁定文件中的每个软件包与 OSV 漏洞公告对照："
            "使用下载的副本（--osv）或在线服务（--online）。"
            "严重程度以公告为准，未注明的按高危计。直接处理模型的软件包会特别标出。",
        ),
        gain=Text(
            "runs code, reads data or stops the service through a hole that is described in public",
            "利用已公开的漏洞执行代码、读取数据或使服务中断",
        ),
        severity="high",
        names=SUPPLY,
        check=checks.vulnerable,
        since="standard",
    ),
    Rule(
        id="environment.advisories-fresh",
        title=Text("advisories are of these days", "漏洞公告是最近的"),
        explanation=Text(
            "A copy of OSV knows nothing of what was published after it. Its age is that of its newest "
            "advisory; the time of the file is not asked, for copying sets it.",
            "OSV 副本不包含其后公布的漏洞。其时效以其中最新的公告为准，不看文件时间，因为复制会改变它。",
        ),
        gain=Text("uses a flaw that this copy does not know yet", "利用副本尚未收录的漏洞"),
        severity="medium",
        names=SUPPLY,
        check=checks.fresh,
        parameters=(
            Parameter(
                name="days",
                unit="days",
                title=Text("oldest copy that counts", "副本最长时效"),
                values={"low": 30, "standard": 14, "high": 3},
                interval="[0, 3650]",
            ),
        ),
    ),
    Rule(
        id="environment.pinned",
        title=Text("lock files say one version of each package", "锁定文件为每个软件包指定唯一版本"),
        explanation=Text(
            "What is not pinned is another program tomorrow, and nobody can say today which flaws it has. With "
            "hashes not even the package index can hand out another file.",
            "未锁定版本的依赖明天可能就是另一个程序，今天无法判断它有哪些漏洞；有了哈希值，软件源也无法替换文件。",
        ),
        gain=Text(
            "publishes a version of a dependency that the next build takes", "发布恶意版本，被下一次构建采用"
        ),
        severity="medium",
        names=SUPPLY,
        check=checks.pinned,
        parameters=(
            Parameter(
                name="hashes",
                unit="",
                title=Text("whether hashes are asked for", "是否要求哈希值"),
                values={"low": False, "standard": False, "high": True},
            ),
        ),
        since="standard",
    ),
    Rule(
        id="environment.hardening",
        title=Text("interpreter and machine give an attacker no help", "解释器与主机不给攻击者提供便利"),
        explanation=Text(
            "Looks at the Python that runs the audit: its version, -O, folders of modules that others may "
            "write to, variables that open something (such as one that lets torch.load run code), the user, "
            "core dumps, new files' rights, OpenSSL and the least TLS. Run it as the server runs.",
            "检查运行本次审计的 Python：版本、-O、他人可写的模块目录、削弱安全的环境变量"
            "（如允许 torch.load 执行代码的变量）、运行用户、内存转储、新文件权限、OpenSSL 与最低 TLS 版本。"
            "请以服务的运行方式执行审计。",
        ),
        gain=Text(
            "gets from one program into others, or to keys in memory",
            "由一个程序进入其他程序，或取得内存中的密钥",
        ),
        severity="medium",
        names=MACHINE,
        check=checks.hardened,
        since="standard",
    ),
    Rule(
        id="environment.file-rights",
        title=Text("others neither read keys nor change files", "其他用户不能读取密钥，也不能修改文件"),
        explanation=Text(
            "Key files belong to their owner alone; nobody else may write to a model, its evidence or code.",
            "密钥文件只属于其所有者；模型、证据与代码不允许他人写入。",
        ),
        gain=Text(
            "takes a key, or puts another model in the place of this one", "取得密钥，或用其他模型替换本模型"
        ),
        severity="high",
        names=TAMPERING,
        check=checks.rights,
    ),
    Rule(
        id="environment.secrets-in-files",
        title=Text("no keys or passwords in files", "文件中没有密钥或口令"),
        explanation=Text(
            "Text files are read for API keys, private keys, tokens and passwords, by the detectors of hauberk "
            "data scan. What was found is never repeated. A line with 'pragma: allowlist secret' is left out.",
            "用 hauberk data scan 的检测器查找文本文件中的 API 密钥、私钥、令牌与口令，结果不重复其内容。"
            "带有 pragma: allowlist secret 的行不计。",
        ),
        gain=Text("enters with a key that somebody left behind", "使用遗留的密钥进入系统"),
        severity="critical",
        names=ACCESS,
        check=checks.secrets,
    ),
)
