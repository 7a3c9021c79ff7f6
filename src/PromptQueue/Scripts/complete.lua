-- Ends claims whose result stands: completed, cancelled or expired.
-- KEYS 1 meta  2 jobs  3 inflight  4 leases  5 dead  6 cancel  7 stopped  8 deadlines  9 spent  then per batch: batch, ended, finished
-- ARGV 1 partitions  2 schema version  3 batch TTL, s
--      then per job (<= 500): id, token, state (1 completed, 2 expired: counted as failed, 3 cancelled), batch (1, 2 ...; 0 for none), row, costs ('nanos deployment', a line each)
-- Returns {'OK', per job: 1 settled | 0 had ended already | -1 someone else's} or {'MISMATCH', partitions, version}
-- Idempotent because an id settles once, and a row's two bits say whether it is counted and as what. Costs are counted with the claim that settles, and
-- those of a late completion with the bits that it turns.
redis.call('ZREM', KEYS[3], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local names, ids = {'completed', 'failed', 'cancelled', 'expected'}, {}
if #ARGV == 3 then return {'OK'} end
for i = 4, #ARGV, 6 do ids[#ids + 1] = ARGV[i] end
local function pay(n, key)
  for nanos, name in string.gmatch(ARGV[6 * n + 3], '(%d+) ([^\n]*)') do
    for _, sum in ipairs({{KEYS[9], name}, key and {key, 'spent'}}) do redis.call('HINCRBY', sum[1], sum[2], nanos) end
  end
end
-- Of each batch the rows that end, and what sets their bits.
local leases, out, settled, ending = redis.call('HMGET', KEYS[4], unpack(ids)), {'OK'}, {}, {}
for n, id in ipairs(ids) do
  local i = 6 * n - 2
  local token, batch, answer = ARGV[i + 1] .. '|', tonumber(ARGV[i + 3]), -1
  local held = string.sub(leases[n] or '', 1, #token) == token
  if held then answer = 1 elseif redis.call('HEXISTS', KEYS[2], id) == 0 or redis.call('ZSCORE', KEYS[5], id) then answer = 0 end
  if answer == 1 or (answer == 0 and ARGV[i + 2] == '1') then
    settled[#settled + 1] = id
    if batch > 0 then ending[batch] = ending[batch] or {rows = {}, bits = {}}
      table.insert(ending[batch].rows, n)
      for _, part in ipairs({'SET', 'u2', '#' .. ARGV[i + 4], ARGV[i + 2]}) do table.insert(ending[batch].bits, part) end
    elseif answer == 1 then pay(n) end
  end
  out[n + 1] = answer
end
for batch, all in pairs(ending) do
  local key, ended, sums, finished = KEYS[7 + batch * 3], KEYS[8 + batch * 3], {0, 0, 0, 0}, {}
  for from = 0, #all.rows - 1, 240 do
    for k, before in ipairs(redis.call('BITFIELD', ended, unpack(all.bits, 4 * from + 1, math.min(4 * from + 960, #all.bits)))) do
      local n = all.rows[from + k]
      local state, held = tonumber(ARGV[6 * n]), out[n + 1] == 1
      local turned = before == 0 or (before ~= state and state == 1)
      if turned then
        -- Neither held nor ever ended: a failover has undone its enqueueing, and the answer is there all the same.
        if before ~= 0 then sums[before] = sums[before] - 1 elseif not held then sums[4] = sums[4] + 1 end
        sums[state], finished[#finished + 1] = sums[state] + 1, ids[n]
      elseif before ~= state then redis.call('BITFIELD', ended, 'SET', 'u2', '#' .. ARGV[6 * n + 2], before) end
      if (turned or held) and ARGV[6 * n + 3] ~= '' then pay(n, key) end
    end
  end
  for state = 1, 4 do if sums[state] ~= 0 then redis.call('HINCRBY', key, names[state], sums[state]) end end
  if #finished > 0 then redis.call('RPUSH', KEYS[9 + batch * 3], unpack(finished)) end
  -- A stopped batch is named to the workers for as long as rows of it are left.
  local left = redis.call('HMGET', key, 'stop', 'expected', 'completed', 'failed', 'cancelled')
  if left[1] and (left[3] or 0) + (left[4] or 0) + (left[5] or 0) >= tonumber(left[2] or 0) then redis.call('ZREM', KEYS[7], string.match(key, '}:batch:(.*)$')) end
end
-- Mostly only the first three are there at all.
for n, verb in pairs(#settled > 0 and {[3] = 'ZREM', [2] = 'HDEL', [4] = 'HDEL', [5] = 'ZREM', [6] = 'SREM', [8] = 'ZREM'} or {}) do
  if redis.call('EXISTS', KEYS[n]) == 1 then redis.call(verb, KEYS[n], unpack(settled)) end
end
for i = 10, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[3]) end
return out
