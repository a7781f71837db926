-- More kinds of statements beside the yearly bill: the gift pack (all benefits of one household), the check-up
-- report, the benefit bill. They share table, numbering, sealing, versions and pages with the bill.
alter table statement_run drop constraint statement_run_kind_check;
alter table statement_run add constraint statement_run_kind_check
    check (kind in ('yearly_bill', 'benefit_bill', 'gift_pack', 'checkup'));

alter table statement drop constraint statement_kind_check;
alter table statement add constraint statement_kind_check
    check (kind in ('yearly_bill', 'benefit_bill', 'gift_pack', 'checkup'));
