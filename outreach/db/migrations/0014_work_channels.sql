-- WeCom and DingTalk as channels: they reach officials and the staff of enterprises by their accounts there.
alter table address drop constraint address_kind_check,
    add constraint address_kind_check
        check (kind in ('mobile', 'openid', 'email', 'wecom_userid', 'dingtalk_userid'));
alter table opt_out drop constraint opt_out_channel_check,
    add constraint opt_out_channel_check
        check (channel in ('all', 'sms', 'rcs', 'wechat', 'email', 'wecom', 'dingtalk'));
alter table template drop constraint template_channel_check,
    add constraint template_channel_check
        check (channel in ('sms', 'rcs', 'wechat', 'email', 'wecom', 'dingtalk'));
alter table round_step drop constraint round_step_channel_check,
    add constraint round_step_channel_check
        check (channel in ('rcs', 'sms', 'wechat', 'email', 'wecom', 'dingtalk'));
alter table gateway drop constraint gateway_channel_check,
    add constraint gateway_channel_check
        check (channel in ('sms', 'rcs', 'wechat', 'email', 'wecom', 'dingtalk'));
comment on column template_version.content is
    'sms {text}; rcs {text, title, body, image_url, actions, chips}; wechat {fields, url}; email {subject, html, text}; wecom and dingtalk {text, title, url}';

-- Who sent a reply, also where no person is known at the address: staff see it masked, and whoever answers
-- needs it.
alter table inbound add column address_enc bytea;
create index inbound_at on inbound (at, id);

-- A taxpayer who has proved herself with a statement's code proves next which follower of the official account
-- she is. One row per attempt: the state that travels is never stored, and serves once.
create table address_binding (
    state_hash bytea primary key,
    token_hash bytea not null,
    person_id int not null references person on delete cascade,
    gateway_id smallint not null references gateway,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    taken_at timestamptz,
    value_enc bytea,
    bound_at timestamptz
);
comment on column address_binding.token_hash is 'the link of the visit that began it: only that visit may confirm';
comment on column address_binding.value_enc is 'what the provider said she is, until she confirms';
create index on address_binding (expires_at);
