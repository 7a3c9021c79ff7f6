-- Tells how jobs have ended.
-- KEYS 1 to n (<= 500) results
-- Returns per result: the status that stands, or nothing
-- Idempotent because it changes nothing.
local out = {}
for n, key in ipairs(KEYS) do out[n] = redis.call('HGET', key, 'status') end
return out
