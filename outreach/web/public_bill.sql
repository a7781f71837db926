-- name: wechat
-- Whether reminders on WeChat can be offered at all.
select from gateway where channel = 'wechat' and state = 'active' limit 1;
