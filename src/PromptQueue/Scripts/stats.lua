-- Counts the jobs of one partition by where they are.
-- KEYS 1 meta  2-4 waiting high, normal, low  5 delayed  6 inflight  7 dead
-- ARGV 1 partitions  2 schema version
-- Returns {'OK', waiting high, normal, low, delayed, inflight, dead, 1 when paused else 0} or {'MISMATCH', partitions, version}
-- Idempotent because it writes nothing.
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'paused', 'taken1', 'taken2', 'taken3')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end
return {'OK', redis.call('LLEN', KEYS[2]) - (meta[4] or 0), redis.call('LLEN', KEYS[3]) - (meta[5] or 0), redis.call('LLEN', KEYS[4]) - (meta[6] or 0),
  redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[6]), redis.call('ZCARD', KEYS[7]), meta[3] and 1 or 0}
