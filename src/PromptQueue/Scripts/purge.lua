-- Drops dead letters for good: the ids, or one bounded step of all. They stay counted as failed.
-- KEYS 1 meta  2 jobs  3 leases  4 dead  5 cancel
-- ARGV 1 partitions  2 schema version  3 only those dead for so many ms  4 how many at most, when no ids follow (<= 500)  then ids
-- Returns {'OK', dropped} or {'MISMATCH', partitions, version}
-- Idempotent because an id leaves the dead letters once.
redis.call('ZREM', KEYS[4], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'seen', 'skew')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local age = tonumber(ARGV[3])
local latest = age > 0 and clock(meta[3], meta[4]) - age or math.huge
local ids = {}
if ARGV[5] then
  for i = 5, #ARGV do
    local buried = redis.call('ZSCORE', KEYS[4], ARGV[i])
    if buried and tonumber(buried) <= latest then ids[#ids + 1] = ARGV[i] end
  end
else
  ids = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', age > 0 and string.format('%.0f', latest) or '+inf', 'LIMIT', 0, ARGV[4])
end
if #ids == 0 then return {'OK', 0} end
local dropped = redis.call('ZREM', KEYS[4], unpack(ids))
redis.call('HDEL', KEYS[2], unpack(ids))
redis.call('HDEL', KEYS[3], unpack(ids))
redis.call('SREM', KEYS[5], unpack(ids))
return {'OK', dropped}
