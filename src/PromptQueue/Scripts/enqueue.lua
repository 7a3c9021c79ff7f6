-- Puts jobs of one partition (and of one batch, or of none) on the queue. Without jobs it only creates the queue.
-- KEYS 1 meta  2 jobs  3-5 waiting high, normal, low  6 delayed  7 dead  [8 batch  9 ended]
-- ARGV 1 partitions  2 schema version  3 wake channel  4 publish verb  5 batch TTL, s  6 "1": run ended jobs again
--      7 the highest row among the jobs  then per job (<= 500): id, delay ms, row (0: no batch), envelope (its first byte is the lane: 1, 2, 3)
-- Returns {'OK', per job: 1 added | 0 already there | 2 has ended} or {'MISMATCH', partitions, version}
-- Idempotent because an id that is in jobs, or whose row has ended, is left alone.
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[1])
redis.call('HSETNX', KEYS[1], 'version', ARGV[2])
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] then return {'MISMATCH', meta[1], meta[2]} end

local idle = redis.call('LLEN', KEYS[3]) + redis.call('LLEN', KEYS[4]) + redis.call('LLEN', KEYS[5]) == 0
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if KEYS[9] then
  -- Four rows a byte, grown by doubling: a store that copies what grows would else copy it for each row.
  local size, needed = redis.call('STRLEN', KEYS[9]), math.floor(tonumber(ARGV[7]) / 4) + 1
  local grown = math.max(size, 256)
  while grown < needed do grown = grown * 2 end
  if grown > size then redis.call('SETBIT', KEYS[9], string.format('%.0f', grown * 8 - 1), 0) end
end
local names = {'completed', 'failed', 'cancelled'}
local out, wake, added, pushed = {'OK'}, false, 0, {{}, {}, {}}
for i = 8, #ARGV, 4 do
  local id, delay, row, envelope = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
  local state = 0
  if row ~= '0' then state = redis.call('BITFIELD', KEYS[9], 'GET', 'u2', '#' .. row)[1] end
  local code = 1
  if state ~= 0 and (ARGV[6] ~= '1' or redis.call('HEXISTS', KEYS[2], id) == 1) then code = 2
  elseif redis.call('HSETNX', KEYS[2], id, envelope) == 0 then code = redis.call('ZSCORE', KEYS[7], id) and 2 or 0
  else
    if state ~= 0 then
      redis.call('BITFIELD', KEYS[9], 'SET', 'u2', '#' .. row, 0)
      redis.call('HINCRBY', KEYS[8], names[state], -1)
    elseif row ~= '0' then added = added + 1 end
    if delay > 0 then
      redis.call('ZADD', KEYS[6], string.format('%.0f', now + delay), id)
      if redis.call('ZRANGE', KEYS[6], 0, 0)[1] == id then wake = true end
    else
      table.insert(pushed[tonumber(string.sub(envelope, 1, 1))], id)
      wake = wake or idle
    end
  end
  out[#out + 1] = code
end
for lane = 1, 3 do if #pushed[lane] > 0 then redis.call('RPUSH', KEYS[2 + lane], unpack(pushed[lane])) end end
if added > 0 then redis.call('HINCRBY', KEYS[8], 'expected', added) end
for i = 8, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[5]) end
if wake then redis.call(ARGV[4], ARGV[3], '1') end
return out
