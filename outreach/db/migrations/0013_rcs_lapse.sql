-- Numbers that cannot read 5G messages are tried again after a while: the daily sweep finds them here.
create index address_rcs_lapse on address (rcs_learned_at) where rcs = false;
