-- Runs dead jobs again, with fresh attempts. Their batch is no longer stopped.
-- KEYS 1 meta  2 jobs  3-5 waiting high, normal, low  6 leases  7 dead  8 stopped  [9 batch  10 ended]
-- ARGV 1 partitions  2 schema version  3 wake channel  4 publish verb  then per job: id, row (0: no batch)
-- Returns {'OK', per job: 1 waits again | 0 is not among the dead | 2 was not read: envelopes of 4 MiB were read before it (one always
--      passes), each for its lane} or {'MISMATCH', partitions, version}
-- Idempotent because an id leaves the dead letters once.
redis.call('ZREM', KEYS[7], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local names = {'completed', 'failed', 'cancelled'}
local out, wake, bytes, over = {'OK'}, false, 0, false
for i = 5, #ARGV, 2 do
  local id, row, answer = ARGV[i], ARGV[i + 1], 0
  local size = redis.call('HSTRLEN', KEYS[2], id)
  over = over or (bytes > 0 and bytes + size > 4194304)
  if over then answer = 2
  elseif redis.call('ZREM', KEYS[7], id) == 1 and size > 0 then
    local envelope = redis.call('HGET', KEYS[2], id)
    bytes = bytes + size
    redis.call('HDEL', KEYS[6], id)
    if row ~= '0' and KEYS[9] then
      local before = redis.call('BITFIELD', KEYS[10], 'GET', 'u2', '#' .. row)[1]
      if before ~= 0 then
        redis.call('BITFIELD', KEYS[10], 'SET', 'u2', '#' .. row, 0)
        redis.call('HINCRBY', KEYS[9], names[before], -1)
      end
    end
    redis.call('RPUSH', KEYS[2 + tonumber(string.match(envelope, '^[123]') or 2)], id)
    answer, wake = 1, true
  end
  out[#out + 1] = answer
end
if wake and KEYS[9] and redis.call('HDEL', KEYS[9], 'stop') == 1 then redis.call('ZREM', KEYS[8], string.match(KEYS[9], '}:batch:(.*)$')) end
if wake then redis.call(ARGV[4], ARGV[3], '1') end
return out
