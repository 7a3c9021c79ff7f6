-- Puts jobs of one partition (and of one batch, or of none) on the queue. Without jobs it only creates the queue.
-- KEYS 1 meta  2 jobs  3-5 waiting high, normal, low  6 delayed  7 dead  8 stopped  9 deadlines  10-14 as hand.lua has them  [15 batch  16 ended]
-- ARGV 1 partitions  2 schema version  3 wake channel  4 publish verb  5 batch TTL, s  6 "1": run ended jobs again
--      7, 8 the lowest and the highest row among the jobs  9 jobs that may wait in this partition, or -1  10 arguments per job: 2 or 4
--      11 of a batch the rows, with spaces between; else empty
--      then per job (<= 500): id, envelope (its first byte is the lane: 1, 2, 3), and of 4: delay ms, deadline in Unix ms (0: none)
-- Returns {'OK', a digit per job: 1 added | 0 already there | 2 has ended | 3 the queue is full} or {'MISMATCH', partitions, version}
--      or {'RETIRED'}: no worker may serve the queue; none was added, and the caller is to create the queue and to register it first
-- Idempotent because an id that is in jobs, or whose row has ended, is left alone.
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'paused', 'seen', 'skew', 'taken1', 'taken2', 'taken3', 'retired')
if ARGV[12] and (not meta[1] or meta[9]) then return {'RETIRED'} end
for n, name in ipairs({'partitions', 'version'}) do
  if not meta[n] then meta[n] = ARGV[n] redis.call('HSET', KEYS[1], name, ARGV[n]) end
end
if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] then return {'MISMATCH', meta[1], meta[2]} end
if not ARGV[12] then redis.call('HSET', KEYS[1], 'version', ARGV[2]) redis.call('HDEL', KEYS[1], 'retired') return {'OK'} end

local most, ended, taken, now, wall = tonumber(ARGV[9]), false, (meta[6] or 0) + (meta[7] or 0) + (meta[8] or 0), clock(meta[4], meta[5])
-- Where any number may wait, it is only asked whether any do.
local waiting = most < 0 and taken == 0 and redis.call('EXISTS', KEYS[3], KEYS[4], KEYS[5]) or redis.call('LLEN', KEYS[3]) + redis.call('LLEN', KEYS[4]) + redis.call('LLEN', KEYS[5]) - taken
local full = most >= 0 and waiting + redis.call('ZCARD', KEYS[6]) >= most
if KEYS[15] then
  -- Four rows a byte, grown by doubling: a store that copies what grows would else copy it for each row.
  local first, last, size = math.floor(tonumber(ARGV[7]) / 4), math.floor(tonumber(ARGV[8]) / 4), redis.call('STRLEN', KEYS[16])
  local grown = math.max(size, 256)
  while grown <= last do grown = grown * 2 end
  if grown > size then redis.call('SETBIT', KEYS[16], string.format('%.0f', grown * 8 - 1), 0) end
  -- Rows that lie together are looked at together: mostly none of them has ended.
  ended = last - first > 4096 or string.find(redis.call('GETRANGE', KEYS[16], first, last), '%Z') ~= nil
end
-- Of an earlier job of the same id a deadline may be left.
local dated, stopped = redis.call('EXISTS', KEYS[9]) == 1, KEYS[15] and redis.call('HEXISTS', KEYS[15], 'stop') == 1
local names, stride, ids, rows = {'completed', 'failed', 'cancelled'}, tonumber(ARGV[10]), {}, {}
for row in string.gmatch(ended and ARGV[11] or '', '%d+') do rows[#rows + 1] = row end for i = 12, #ARGV, stride do ids[#ids + 1] = ARGV[i] end
local there, seen, jobs = redis.call('HMGET', KEYS[2], unpack(ids)), {}, {}
local out, wake, again, added, pushed = {}, false, false, 0, {{}, {}, {}}
for n, id in ipairs(ids) do
  local i = 12 + (n - 1) * stride
  local delay, deadline, state, code = stride == 4 and tonumber(ARGV[i + 2]) or 0, stride == 4 and ARGV[i + 3] or '0', 0, 1
  if ended then state = redis.call('BITFIELD', KEYS[16], 'GET', 'u2', '#' .. rows[n])[1] end
  if state ~= 0 and (ARGV[6] ~= '1' or there[n]) then code = 2
  elseif there[n] or seen[id] then code = redis.call('ZSCORE', KEYS[7], id) and 2 or 0
  elseif full then code = 3
  else
    seen[id], jobs[#jobs + 1], jobs[#jobs + 2] = true, id, ARGV[i + 1]
    if state == 0 then added = added + 1
    else again = redis.call('HINCRBY', KEYS[15], names[state], -1) redis.call('BITFIELD', KEYS[16], 'SET', 'u2', '#' .. rows[n], 0) end
    if deadline ~= '0' then redis.call('ZADD', KEYS[9], deadline, id) elseif dated then redis.call('ZREM', KEYS[9], id) end
    if delay > 0 and not stopped then
      redis.call('ZADD', KEYS[6], string.format('%.0f', now + delay), id)
      wake = wake or redis.call('ZRANGE', KEYS[6], 0, 0)[1] == id
    else wake = wake or waiting <= 0 table.insert(pushed[string.byte(ARGV[i + 1]) - 48], id) end
  end
  out[n] = code
end
-- Where there is nothing to write, the same is written again: a write each time is what a WAIT for replicas confirms.
if #jobs > 0 then redis.call('HSET', KEYS[2], unpack(jobs)) else redis.call('HSET', KEYS[1], 'version', ARGV[2]) end
-- A single new one that finds all lanes empty needs none.
local handed = wake and #jobs == 2 and #pushed[1] + #pushed[2] + #pushed[3] == 1 and not stopped and not meta[3] and hand(10, jobs[1], jobs[2], now, wall)
for lane = 1, handed and 0 or 3 do if #pushed[lane] > 0 then redis.call('RPUSH', KEYS[2 + lane], unpack(pushed[lane])) end end
-- Rows of a stopped batch are taken and end as cancelled; who runs ended rows again wants them to run.
if stopped and again then redis.call('HDEL', KEYS[15], 'stop') redis.call('ZREM', KEYS[8], string.match(KEYS[15], '}:batch:(.*)$'))
elseif stopped and added > 0 then redis.call('ZADD', KEYS[8], string.format('%.0f', now), string.match(KEYS[15], '}:batch:(.*)$')) end
if KEYS[15] and added > 0 then redis.call('HINCRBY', KEYS[15], 'expected', added) end
for i = 15, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[5]) end
-- A few are named, so that who is woken can look for their results without waiting for its claim.
if wake and not handed then redis.call(ARGV[4], ARGV[3], #ids <= 8 and '+' .. table.concat(ids, '\n') or '1') end
return {'OK', table.concat(out)}
