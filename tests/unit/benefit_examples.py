"""The worked examples of the benefit catalogue as inputs and figures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """One worked example: its words, the inputs that they mean, the figures that they give."""

    words: str
    month: int
    inputs: dict[str, str]
    figures: dict[str, str]
    province: str = ""


WORKED: dict[str, list[Example]] = {
    "VAT_SS_EXEMPT_2019": [
        Example(
            "月销售额100000 -> 免3000",
            202005,
            {"sales": "100000", "period": "月"},
            {"amount": "3000", "payable": "0"},
        )
    ],
    "VAT_SS_EXEMPT_2021": [
        Example("月150000 -> 免4500", 202112, {"sales": "150000", "period": "月"}, {"amount": "4500"})
    ],
    "VAT_SS_3TO1_2020": [
        Example(
            "含税101000 -> 不含税100000*1%=1000",
            202104,
            {"gross_sales": "101000"},
            {"payable": "1000", "sales": "100000", "amount": "2000"},
        )
    ],
    "VAT_SS_EXEMPT_ALL_2022": [
        Example(
            "季销售额900000 -> 0",
            202206,
            {"sales": "900000", "period": "季"},
            {"payable": "0", "amount": "27000"},
        )
    ],
    "VAT_SS_EXEMPT_2023": [
        Example(
            "月100000 -> 0", 202512, {"sales": "100000", "period": "月"}, {"payable": "0", "amount": "3000"}
        )
    ],
    "VAT_SS_3TO1_2023": [
        Example(
            "季销售额400000 -> 4000(原12000), 减8000",
            202503,
            {"sales": "400000", "period": "季"},
            {"payable": "4000", "amount": "8000"},
        )
    ],
    "VAT_SS_THRESHOLD_2026": [
        Example(
            "月99999.99 -> 0",
            202601,
            {"sales": "99999.99", "period": "月"},
            {"payable": "0", "amount": "3000"},
        ),
        Example(
            "月100000 -> 按1%=1000",
            202601,
            {"sales": "100000", "period": "月"},
            {"payable": "1000", "amount": "0"},
        ),
    ],
    "VAT_SS_3TO1_2026": [
        Example("季400000 -> 4000", 202603, {"sales": "400000", "period": "季"}, {"payable": "4000"})
    ],
    "VAT_ADDDED_SERVICE_10": [
        Example("进项1000000 -> 抵减100000", 202206, {"input_vat": "1000000"}, {"amount": "100000"})
    ],
    "VAT_ADDDED_SERVICE_2023": [
        Example("50000/100000", 202306, {"input_vat": "1000000", "service": "生产性"}, {"amount": "50000"}),
        Example(
            "进项1000000 -> 50000/100000",
            202306,
            {"input_vat": "1000000", "service": "生活性"},
            {"amount": "100000"},
        ),
    ],
    "VAT_ADDDED_ADVMFG": [
        Example(
            "进项1000000, 应纳80000 -> 抵50000, 缴30000",
            202506,
            {"input_vat": "1000000", "payable_before": "80000", "listed": "是"},
            {"amount": "50000", "payable": "30000"},
        )
    ],
    "VAT_ADDDED_IC": [
        Example(
            "进项1000000 -> 150000", 202506, {"input_vat": "1000000", "listed": "是"}, {"amount": "150000"}
        )
    ],
    "VAT_ADDDED_MTOOL": [
        Example(
            "进项1000000 -> 150000", 202506, {"input_vat": "1000000", "listed": "是"}, {"amount": "150000"}
        )
    ],
    "VAT_CREDIT_REFUND_2022": [
        Example(
            "增量留抵500000, 比例98% -> 退490000",
            202306,
            {"added_credit": "500000", "input_ratio": "0.98"},
            {"amount": "490000"},
        )
    ],
    "VAT_CREDIT_REFUND_2025": [
        Example(
            "其他行业新增2亿, 比例100% -> 0.6亿+0.3亿=0.9亿",
            202510,
            {"added_credit": "200000000", "input_ratio": "1", "refund_industry": "其他"},
            {"amount": "90000000"},
        )
    ],
    "CIT_SLP_2019": [
        Example(
            "所得2000000 -> 100万*5%+100万*10%=150000", 201912, {"income": "2000000"}, {"payable": "150000"}
        )
    ],
    "CIT_SLP_2021": [Example("所得1000000 -> 25000", 202112, {"income": "1000000"}, {"payable": "25000"})],
    "CIT_SLP_2022": [
        Example(
            "2022年所得3000000 -> 25000+100000=125000", 202212, {"income": "3000000"}, {"payable": "125000"}
        )
    ],
    "CIT_SLP_2023": [
        Example(
            "所得3000000 -> 150000(省600000)",
            202512,
            {"income": "3000000"},
            {"payable": "150000", "amount": "600000"},
        ),
        Example(
            "所得3000001 -> 750000.25 断崖",
            202512,
            {"income": "3000001"},
            {"payable": "750000.25", "amount": "0"},
        ),
    ],
    "CIT_RND_100": [
        Example(
            "费用化1000000, 税率25% -> 少缴250000",
            202512,
            {"research": "1000000", "rate": "0.25"},
            {"amount": "250000"},
        )
    ],
    "CIT_RND_120": [
        Example(
            "1000000 -> 加扣1200000",
            202512,
            {"research": "1000000", "rate": "0.25", "listed": "是"},
            {"deduction": "1200000", "amount": "300000"},
        )
    ],
    "CIT_EQUIP_500": [
        Example(
            "4000000设备 -> 当年扣4000000(时间性)",
            202512,
            {"unit_price": "4000000"},
            {"deduction": "4000000"},
        )
    ],
    "CIT_HNTE_15": [
        Example(
            "所得10000000 -> 1500000(省1000000)",
            202512,
            {"income": "10000000"},
            {"payable": "1500000", "amount": "1000000"},
        )
    ],
    "CIT_WEST_15": [
        Example("所得10000000 -> 1500000", 202512, {"income": "10000000"}, {"payable": "1500000"})
    ],
    "CIT_DISABLED_WAGE": [
        Example("工资500000 -> 省125000", 202512, {"wages": "500000", "rate": "0.25"}, {"amount": "125000"})
    ],
    "SIX_TAX_HALF_2022": [
        Example("印花税1000 -> 500", 202206, {"due": "1000"}, {"amount": "500", "payable": "500"})
    ],
    "SIX_TAX_HALF": [
        Example("房产税20000 -> 10000", 202506, {"due": "20000"}, {"amount": "10000", "payable": "10000"})
    ],
    "SURCHARGE_10W_EXEMPT": [
        Example(
            "月销售额100000 -> 0",
            202601,
            {"sales": "100000", "due": "360", "period": "月"},
            {"payable": "0", "amount": "360"},
        )
    ],
    "DPF_SMALL_EXEMPT": [
        Example(
            "30人 -> 0", 202509, {"employees": "30", "due": "12000"}, {"payable": "0", "amount": "12000"}
        ),
        Example(
            "31人 -> 正常", 202509, {"employees": "31", "due": "12000"}, {"payable": "12000", "amount": "0"}
        ),
    ],
    "DPF_TIERED": [
        Example(
            "应缴100000, 比例1.2% -> 50000",
            202509,
            {"due": "100000", "disabled_ratio": "0.012"},
            {"payable": "50000", "amount": "50000"},
        )
    ],
    "LUT_LOGISTICS_HALF": [Example("200000 -> 100000", 202506, {"due": "200000"}, {"payable": "100000"})],
    "VPT_NEV_FULL": [
        Example(
            "不含税价400000 -> 税40000, 免30000, 缴10000",
            202506,
            {"price": "400000"},
            {"tax": "40000", "amount": "30000", "payable": "10000"},
        )
    ],
    "VPT_NEV_HALF": [
        Example(
            "不含税价400000 -> 税40000, 减15000, 缴25000",
            202606,
            {"price": "400000"},
            {"tax": "40000", "amount": "15000", "payable": "25000"},
        )
    ],
    "DEFER_MFG_SME_2021Q4": [
        Example(
            "应缴80000, 小微 -> 全部缓缴9个月",
            202110,
            {"due": "80000", "size": "小微"},
            {"amount": "80000", "payable": "0", "months": "9"},
        )
    ],
    "DEFER_MFG_SME_2022": [
        Example(
            "2022年1月所属期应缴50000 -> 缓6个月",
            202201,
            {"due": "50000", "size": "小微"},
            {"amount": "50000", "months": "6", "matures": "202208"},
        )
    ],
    "IIT_BIZ_HALF_200": [
        Example(
            "所得2000000 -> 税634500, 减317250",
            202512,
            {"income": "2000000"},
            {"tax": "634500", "amount": "317250"},
        )
    ],
    "EMP_VETERAN_SELF": [
        Example(
            "广东, 全年应缴18000 -> 0",
            202512,
            {"due": "18000", "months": "12"},
            {"payable": "0", "amount": "18000", "quota": "24000"},
            "440000",
        )
    ],
    "EMP_VETERAN_HIRE": [
        Example("广东招10人 -> 90000/年", 202512, {"hired": "10"}, {"amount": "90000"}, "44")
    ],
    "IIT_SAD_CHILD": [
        Example("2孩全年48000", 202512, {"children": "2", "months": "12", "share": "1"}, {"amount": "48000"})
    ],
    "IIT_SAD_INFANT": [
        Example("1孩全年24000", 202512, {"children": "1", "months": "12", "share": "1"}, {"amount": "24000"})
    ],
    "IIT_SAD_CONTEDU": [Example("取证当年3600", 202512, {"education": "证书"}, {"amount": "3600"})],
    "IIT_SAD_ILLNESS": [Example("自付60000 -> 扣45000", 202512, {"medical": "60000"}, {"amount": "45000"})],
    "IIT_SAD_LOAN": [Example("12000/年", 202512, {"months": "12"}, {"amount": "12000"})],
    "IIT_SAD_RENT": [
        Example("18000/年(上海等)", 202512, {"rent": "1500", "months": "12"}, {"amount": "18000"})
    ],
    "IIT_SAD_ELDER": [
        Example("独生36000/年", 202512, {"only_child": "是", "months": "12"}, {"amount": "36000"})
    ],
    "IIT_BONUS_SEPARATE": [
        Example("36000 -> 1080", 202512, {"bonus": "36000", "other_taxable": "200000"}, {"tax": "1080"}),
        Example(
            "36001 -> 3390.10 断崖", 202512, {"bonus": "36001", "other_taxable": "200000"}, {"tax": "3390.10"}
        ),
    ],
    "IIT_PENSION": [
        Example(
            "缴12000, 边际20% -> 少2400",
            202512,
            {"pension": "12000", "marginal_rate": "0.2"},
            {"amount": "2400"},
        )
    ],
    "IIT_RECON_EXEMPT": [
        Example(
            "收入150000补税400 -> 免",
            202512,
            {"annual_income": "150000", "top_up": "400", "withheld": "是"},
            {"payable": "0", "amount": "400"},
        ),
        Example(
            "补401 -> 须办",
            202512,
            {"annual_income": "150000", "top_up": "401", "withheld": "是"},
            {"payable": "401", "amount": "0"},
        ),
    ],
    "IIT_HOUSE_SWAP": [
        Example(
            "旧100万税2万, 新80万 -> 退1.6万",
            202506,
            {"old_price": "1000000", "tax_paid": "20000", "new_price": "800000"},
            {"amount": "16000"},
        )
    ],
}
NO_FIGURE = {
    "VAT_SMALL_LOAN_INT": "no example; to be checked against announcement 10 of 2026",
    "IIT_BIZ_HALF_100": "no example; tested below against the table of business income",
    "EMP_KEYGROUP_SELF": "no example; tested below with the national base",
}
