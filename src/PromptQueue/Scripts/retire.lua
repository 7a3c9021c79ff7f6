-- Marks a partition without jobs as retired: enqueue.lua refuses jobs until the mark is removed. Dead letters are no jobs. A paused queue is not retired.
-- KEYS 1 meta  2 jobs  3-5 waiting high, normal, low  6 delayed  7 inflight  8 workers  9 dead
-- ARGV 1 partitions  2 schema version  3 a partition with a claim or a renewal in so many ms is in use, and is not marked
-- Returns {'OK', 1 marked | 0 has jobs, is in use or is paused, now in Unix ms} or {'MISMATCH', partitions, version}
-- Idempotent because a mark that exists is set again.
redis.call('ZREM', KEYS[7], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'paused', 'seen', 'skew')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end
local now, wall = clock(meta[4], meta[5])
local told = string.format('%.0f', wall)
if meta[3] or redis.call('EXISTS', KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]) > 0 or redis.call('HLEN', KEYS[2]) > redis.call('ZCARD', KEYS[9]) then
  return {'OK', 0, told}
end
local newest = redis.call('ZRANGE', KEYS[8], -1, -1, 'WITHSCORES')
if newest[2] and now - tonumber(newest[2]) < tonumber(ARGV[3]) then return {'OK', 0, told} end
redis.call('HSET', KEYS[1], 'partitions', ARGV[1], 'version', ARGV[2], 'retired', '1')
return {'OK', 1, told}
