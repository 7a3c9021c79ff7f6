-- Ends claims whose error stands: the jobs go to the dead letters, their envelopes are kept. Of too many or too old ones, 100 a call are dropped.
-- KEYS 1 meta  2 jobs  3 inflight  4 leases  5 dead  6 cancel  7 stopped  8 spent  then per batch: batch, ended, finished
-- ARGV 1 partitions  2 schema version  3 batch TTL, s  4 dead letters at most  5 their age at most, ms
--      then per job: id, token, batch (1, 2 ...; 0 for none), row, costs ('nanos deployment', a line each)
-- Returns {'OK', a sign per job: 1 settled | 0 had ended already | - someone else's} or {'MISMATCH', partitions, version}
-- Idempotent because the claim is gone after the first time, and a row that has ended is not counted again.
redis.call('ZREM', KEYS[3], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'seen', 'skew')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local now = clock(meta[3], meta[4])
local signs = {}
for i = 6, #ARGV, 5 do
  local id, batch, row = ARGV[i], tonumber(ARGV[i + 2]), ARGV[i + 3]
  local lease = redis.call('HGET', KEYS[4], id)
  local sign = '-'
  if lease and string.match(lease, '^[^|]*') == ARGV[i + 1] then
    redis.call('ZREM', KEYS[3], id)
    redis.call('HDEL', KEYS[4], id)
    redis.call('SREM', KEYS[6], id)
    redis.call('ZADD', KEYS[5], string.format('%.0f', now), id)
    if batch > 0 then
      local at = 6 + batch * 3
      if redis.call('BITFIELD', KEYS[at + 1], 'GET', 'u2', '#' .. row)[1] == 0 then
        redis.call('BITFIELD', KEYS[at + 1], 'SET', 'u2', '#' .. row, 2)
        redis.call('HINCRBY', KEYS[at], 'failed', 1)
        redis.call('RPUSH', KEYS[at + 2], id)
        local rows = redis.call('HMGET', KEYS[at], 'stop', 'expected', 'completed', 'failed', 'cancelled')
        if rows[1] and (rows[3] or 0) + (rows[4] or 0) + (rows[5] or 0) >= tonumber(rows[2] or 0) then redis.call('ZREM', KEYS[7], string.match(KEYS[at], '}:batch:(.*)$')) end
      end
    end
    for nanos, name in string.gmatch(ARGV[i + 4], '(%d+) ([^\n]*)') do
      redis.call('HINCRBY', KEYS[8], name, nanos)
      if batch > 0 then redis.call('HINCRBY', KEYS[6 + batch * 3], 'spent', nanos) end
    end
    sign = '1'
  elseif redis.call('HEXISTS', KEYS[2], id) == 0 or redis.call('ZSCORE', KEYS[5], id) then
    sign = '0'
  end
  signs[#signs + 1] = sign
end
for i = 9, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[3]) end
local over = math.max(redis.call('ZCARD', KEYS[5]) - tonumber(ARGV[4]), redis.call('ZCOUNT', KEYS[5], '-inf', string.format('%.0f', now - tonumber(ARGV[5]))))
if over > 0 then
  local dropped = redis.call('ZRANGE', KEYS[5], 0, math.min(over, 100) - 1)
  redis.call('ZREM', KEYS[5], unpack(dropped))
  redis.call('HDEL', KEYS[2], unpack(dropped))
end
return {'OK', table.concat(signs)}
