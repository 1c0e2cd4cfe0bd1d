"""Columns whose names say what they hold: a name in a column of its own stands without the words around it by
which names are found in text.
"""

from __future__ import annotations

import re

AGE = "AGE"
"""A type for whole columns only: in a text, a number says too little."""

_SAID = {
    "NAME": """name fullname full_name realname real_name username_cn customer customer_name client_name
        patient patient_name contact contact_name contact_person employee_name staff_name student_name
        cardholder card_holder account_name applicant owner_name first_name last_name firstname lastname
        surname given_name 姓名 名字 真实姓名 客户 客户姓名 客户名称 用户姓名 患者 患者姓名 病人姓名
        员工姓名 职工姓名 学生姓名 联系人 联系人姓名 收件人 收货人 收货人姓名 寄件人 持卡人 持卡人姓名
        申请人 户主 户名 监护人 紧急联系人 开户人 经办人 法定代表人 法人""",
    "ID": """id_card idcard id_card_no id_number idcard_no identity_card identity_number id_no cert_no 身份证
        身份证号 身份证号码 证件号 证件号码 公民身份号码""",
    "MOBILE": """mobile mobile_phone mobile_no mobile_number cell cellphone cell_phone phone phone_no
        phone_number 手机 手机号 手机号码 联系电话 电话 电话号码 联系方式 移动电话""",
    "LANDLINE": "landline tel telephone fixed_phone 座机 固定电话 固话 家庭电话 办公电话",
    "CARD": "card_no card_number bank_card bank_account account_no 银行卡 银行卡号 卡号 银行账号 账号",
    "EMAIL": "email e_mail mail email_address 邮箱 电子邮箱 电子邮件 邮件地址",
    "ADDRESS": """address addr home_address street_address delivery_address 地址 住址 家庭住址 详细地址 收货地址
        联系地址 户籍地址 通讯地址 居住地址""",
    "PLATE": "plate plate_no plate_number license_plate licence_plate 车牌 车牌号 车牌号码",
    "PASSPORT": "passport passport_no passport_number 护照 护照号 护照号码",
    "SSN": "ssn social_security_number",
    "IBAN": "iban",
    "WECHAT": "wechat weixin wechat_id 微信 微信号",
    "QQ": "qq qq_no qq号 qq号码",
    "IP": "ip ip_address client_ip ip地址",
    "MAC": "mac mac_address mac地址",
    "BIRTH_DATE": """birth birthday birthdate birth_date date_of_birth dob 生日 出生日期 出生年月 出生年月日""",
    "SECRET": "password passwd pwd secret api_key apikey access_token 密码 口令 密钥",
}
_TYPES = {name: kind for kind, names in _SAID.items() for name in names.split()}
_BETWEEN = re.compile(r"[\s_.\-]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def type_of(column: str) -> str | None:
    """The type that a column's name says it holds, or None; of a path of keys, the last one counts."""
    last = column.rsplit(".", 1)[-1].strip()
    return _TYPES.get(_BETWEEN.sub("_", _HUMP.sub("_", last)).lower())
