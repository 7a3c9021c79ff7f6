-- Puts the counts of a batch right, unless they have changed since they were compared.
-- KEYS 1 batch
-- ARGV 1-4 expected, completed, failed, cancelled as they were read  5-8 as they should be
-- Returns 1 when they were written, else 0
-- Idempotent because the second time the counts are no longer as they were read.
redis.call('HDEL', KEYS[1], '')
local names = {'expected', 'completed', 'failed', 'cancelled'}
local counts = redis.call('HMGET', KEYS[1], unpack(names))
for n = 1, 4 do if (counts[n] or '0') ~= ARGV[n] then return 0 end end
for n = 1, 4 do redis.call('HSET', KEYS[1], names[n], ARGV[4 + n]) end
return 1
