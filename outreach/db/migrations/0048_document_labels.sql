-- The words of the audience language for households that hold a document: `document.yearly_bill = 2025`. They stand beside
-- the label catalogue and not in it, so that no import, survey or event can make anybody a member: only issuing does.
-- The years: the last six, and all since the first of which documents were issued.
create view document_term as
with this as (select extract(year from business_now() at time zone 'Asia/Shanghai')::int as year)
select 'document.' || kind as code, '已出具的' || title as name, years.options,
       '现有一份未撤回的' || title || '的户，取值是文书所属年度' as description
from (values ('yearly_bill', '纳税缴费账单'), ('benefit_bill', '税费优惠红利账单'),
             ('gift_pack', '税费优惠政策大礼包'), ('checkup', '涉税体检报告')) as kinds (kind, title)
cross join (
    select jsonb_object_agg(year::text, year || '年度') as options
    from generate_series((select least(year - 5, (select min(year) from statement_run)) from this),
                         (select year from this)) as year
) as years;

alter table label add constraint label_is_no_document check (not starts_with(code, 'document.'));
alter table attribute add constraint attribute_is_no_document check (not starts_with(code, 'document.'));
