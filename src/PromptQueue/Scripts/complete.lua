-- Ends claims whose result stands: completed, cancelled or expired.
-- KEYS 1 meta  2 jobs  3 inflight  4 leases  5 dead  then per batch: batch, ended, finished
-- ARGV 1 partitions  2 schema version  3 batch TTL, s
--      then per job: id, token, state (1 completed, 2 expired: counted as failed, 3 cancelled), batch (1, 2 ...; 0 for none), row
-- Returns {'OK', per job: 1 settled | 0 had ended already | -1 someone else's} or {'MISMATCH', partitions, version}
-- Idempotent because an id settles once, and a row's two bits say whether it is counted and as what.
redis.call('ZREM', KEYS[3], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local names = {'completed', 'failed', 'cancelled'}
local function count(id, state, batch, row)
  if batch == 0 then return end
  local at = 3 + batch * 3
  local before = redis.call('BITFIELD', KEYS[at + 1], 'GET', 'u2', '#' .. row)[1]
  if before == state or (before ~= 0 and state ~= 1) then return end
  redis.call('BITFIELD', KEYS[at + 1], 'SET', 'u2', '#' .. row, state)
  if before ~= 0 then redis.call('HINCRBY', KEYS[at], names[before], -1) end
  redis.call('HINCRBY', KEYS[at], names[state], 1)
  redis.call('RPUSH', KEYS[at + 2], id)
end

local out = {'OK'}
for i = 4, #ARGV, 5 do
  local id, state, batch, row = ARGV[i], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), ARGV[i + 4]
  local lease = redis.call('HGET', KEYS[4], id)
  local answer = -1
  if lease and string.match(lease, '^[^|]*') == ARGV[i + 1] then
    redis.call('ZREM', KEYS[3], id)
    answer = 1
  elseif redis.call('HEXISTS', KEYS[2], id) == 0 then
    answer = 0
  elseif state == 1 and redis.call('ZREM', KEYS[5], id) == 1 then
    answer = 0
  end
  if answer == 1 or (answer == 0 and state == 1) then
    redis.call('HDEL', KEYS[2], id)
    redis.call('HDEL', KEYS[4], id)
    count(id, state, batch, row)
  elseif redis.call('ZSCORE', KEYS[5], id) then
    answer = 0
  end
  out[#out + 1] = answer
end
for i = 6, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[3]) end
return out
