-- Tells how jobs have ended.
-- KEYS 1 to n (<= 500) results
-- Returns per result: the status that stands, or nothing; empty when none stands
-- Idempotent because it changes nothing.
local out = {}
if redis.call('EXISTS', unpack(KEYS)) == 0 then return out end
for n, key in ipairs(KEYS) do out[n] = redis.call('HGET', key, 'status') end
return out
