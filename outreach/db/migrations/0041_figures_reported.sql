-- What earlier versions took for granted where a file was silent stands in the record: such a record can still be
-- computed, to the same amount, and can be put right by loading the row again.

update benefit_record set inputs = inputs || '{"period": "月"}'
where benefit_code in ('VAT_SS_EXEMPT_2019', 'VAT_SS_EXEMPT_2021', 'VAT_SS_EXEMPT_2023', 'VAT_SS_THRESHOLD_2026',
                       'SURCHARGE_10W_EXEMPT')
  and not inputs ? 'period';

update benefit_record set inputs = inputs || '{"months": "12"}'
where (benefit_code in ('IIT_SAD_CHILD', 'IIT_SAD_INFANT', 'IIT_SAD_LOAN', 'IIT_SAD_RENT', 'IIT_SAD_ELDER',
                        'EMP_VETERAN_SELF', 'EMP_KEYGROUP_SELF')
       or benefit_code = 'IIT_SAD_CONTEDU' and inputs ->> 'education' = '学历')
  and not inputs ? 'months';

update benefit_record set inputs = inputs || '{"share": "1"}'
where benefit_code in ('IIT_SAD_CHILD', 'IIT_SAD_INFANT') and not inputs ? 'share';

update benefit_record set inputs = inputs || '{"rate": "0.25"}'
where benefit_code = 'CIT_DISABLED_WAGE' and not inputs ? 'rate';

update benefit_record set inputs = inputs || '{"withheld": "是"}'
where benefit_code = 'IIT_RECON_EXEMPT' and not inputs ? 'withheld';

-- Without it nobody can be told that she need not file: the exemption does not hold where tax was not withheld.
alter table annual_record add column withheld boolean;
comment on column annual_record.withheld is
    '是否依法预扣: whether payers withheld tax as the law asks; null: not known, the reconciliation decides';
