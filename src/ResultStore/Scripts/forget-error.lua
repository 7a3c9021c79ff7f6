-- Removes a result unless it is a completion, so that whoever waits for the job's next run waits.
-- KEYS 1 result
-- Returns 1 when it was removed, else 0
-- Idempotent because there is nothing left to remove.
local stands = redis.call('HGET', KEYS[1], 'status')
if not stands or stands == 'completed' then return 0 end
redis.call('DEL', KEYS[1])
return 1
