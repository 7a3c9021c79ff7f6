-- Extends leases, and says that their worker lives. Without ids it does only the latter.
-- KEYS 1 meta  2 inflight  3 leases  4 workers  5 cancel  6 stopped
-- ARGV 1 partitions  2 schema version  3 lease, ms  4 worker  then per job: id, token
-- Returns {'OK', per job: 1 extended | 2 extended, and asked to stop | 0 lost,  then the stopped batches} or {'MISMATCH', partitions, version}
-- Idempotent because it writes the same again. A lease that has expired but was not reclaimed is extended: nobody else has it.
redis.call('ZREM', KEYS[2], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'seen', 'skew')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local now = clock(meta[3], meta[4])
local deadline = string.format('%.0f', now + tonumber(ARGV[3]))
redis.call('ZADD', KEYS[4], string.format('%.0f', now), ARGV[4])
local out = {'OK'}
for i = 5, #ARGV, 2 do
  local lease = redis.call('HGET', KEYS[3], ARGV[i])
  if lease and string.match(lease, '^[^|]*') == ARGV[i + 1] then
    redis.call('ZADD', KEYS[2], deadline, ARGV[i])
    out[#out + 1] = 1 + redis.call('SISMEMBER', KEYS[5], ARGV[i])
  else
    out[#out + 1] = 0
  end
end
for _, batch in ipairs(redis.call('ZRANGE', KEYS[6], 0, 999)) do out[#out + 1] = batch end
return out
