-- Makes of a completion that is none an error, with the same body, unless it has changed since it was read.
-- KEYS 1 result
-- ARGV 1 meta as it was read  2 meta of the error
-- Returns 1 when it was made one, else 0
-- Idempotent because the second time it is no completion.
local stored = redis.call('HMGET', KEYS[1], 'status', 'meta')
if stored[1] ~= 'completed' or stored[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'status', 'failed', 'meta', ARGV[2])
return 1
