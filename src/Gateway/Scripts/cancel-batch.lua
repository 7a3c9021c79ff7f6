-- Asks a batch to be cancelled; whoever drives it sees the status.
-- KEYS 1 batch
-- ARGV none
-- Returns the status that stands now; nothing when there is no such batch
-- Idempotent because a batch that was asked is left alone.
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'validating' and status ~= 'in_progress' then return status or '' end
redis.call('HSET', KEYS[1], 'status', 'cancelling', 'cancelling_at', redis.call('TIME')[1])
return 'cancelling'
