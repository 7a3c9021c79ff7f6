-- Pauses a partition of a queue, or resumes it.
-- KEYS 1 meta
-- ARGV 1 partitions  2 schema version  3 wake channel  4 publish verb  5 "1" to pause, "0" to resume
-- Returns {'OK'} or {'MISMATCH', partitions, version}
-- Idempotent because it writes the same again.
redis.call('HDEL', KEYS[1], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

if ARGV[5] == '1' then
  redis.call('HSET', KEYS[1], 'paused', '1')
else
  redis.call('HDEL', KEYS[1], 'paused')
  redis.call(ARGV[4], ARGV[3], '1')
end
return {'OK'}
