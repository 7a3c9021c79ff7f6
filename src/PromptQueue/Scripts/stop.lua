-- Asks the rows of a batch to stop: claims, sweeps and renewals name the batch. Its delayed rows are made due, one bounded step a call. A message names the
-- batch, so that workers look at once.
-- KEYS 1 meta  2 delayed  3 batch  4 stopped
-- ARGV 1 partitions  2 schema version  3 wake channel  4 publish verb  5 batch TTL, s  6 delayed rows to look at, and batches stopped longer ago than that to forget (<= 500)
--      7 how many of the latest were looked at and are not of the batch
-- Returns {'OK', what to give as 7 in the next call, or -1 when all were looked at} or {'MISMATCH', partitions, version}
-- Idempotent because a flag that is set is set. A batch that has ended here is not named: nothing of it is left.
redis.call('ZREM', KEYS[2], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'seen', 'skew')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local now = clock(meta[3], meta[4])
local stamp, batch = string.format('%.0f', now), string.match(KEYS[3], '}:batch:(.*)$')
local rows = redis.call('HMGET', KEYS[3], 'expected', 'completed', 'failed', 'cancelled')
redis.call('HSET', KEYS[3], 'stop', '1')
redis.call('EXPIRE', KEYS[3], ARGV[5])
local old = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', string.format('%.0f', now - 1000 * tonumber(ARGV[5])), 'LIMIT', 0, ARGV[6])
if #old > 0 then redis.call('ZREM', KEYS[4], unpack(old)) end
if (rows[2] or 0) + (rows[3] or 0) + (rows[4] or 0) < tonumber(rows[1] or 0) then
  redis.call('ZADD', KEYS[4], stamp, batch)
  if ARGV[7] == '0' then redis.call(ARGV[4], ARGV[3], '!' .. batch) end
end

-- From the latest on, down to those that are due: what is made due joins these and is not met again.
local last = redis.call('ZCARD', KEYS[2]) - 1 - tonumber(ARGV[7])
local first = math.max(redis.call('ZCOUNT', KEYS[2], '-inf', stamp), last - tonumber(ARGV[6]) + 1)
if first > last then return {'OK', -1} end
local kept, wake = tonumber(ARGV[7]), false
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], string.format('%.0f', first), string.format('%.0f', last))) do
  if string.sub(id, 1, #batch + 1) == batch .. '.' then
    redis.call('ZADD', KEYS[2], stamp, id)
    wake = true
  else
    kept = kept + 1
  end
end
if wake then redis.call(ARGV[4], ARGV[3], '1') end
return {'OK', kept}
