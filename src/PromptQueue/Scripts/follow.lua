-- Reads on in the list of a batch's ended jobs.
-- KEYS 1 batch  2 finished
-- ARGV 1 position to read from (0: the first that ended)  2 ids at most  3 the id before that position, or nothing
-- Where another id is before the position, a failover has undone part of the list: it is read from its beginning.
-- Returns {position to read from next, expected, completed, failed, cancelled, spent in nanos or '', ids ...}
-- Idempotent because it writes nothing.
local base = redis.call('HMGET', KEYS[1], 'taken', 'expected', 'completed', 'failed', 'cancelled', 'spent')
local taken = tonumber(base[1] or 0)
local from = math.max(tonumber(ARGV[1]), taken)
if ARGV[3] ~= '' and from > taken and redis.call('LINDEX', KEYS[2], string.format('%.0f', from - taken - 1)) ~= ARGV[3] then from = taken end
local start = from - taken
local ids = redis.call('LRANGE', KEYS[2], string.format('%.0f', start), string.format('%.0f', start + tonumber(ARGV[2]) - 1))
local out = {string.format('%.0f', from + #ids), base[2] or '0', base[3] or '0', base[4] or '0', base[5] or '0', base[6] or ''}
for i, id in ipairs(ids) do out[6 + i] = id end
return out
