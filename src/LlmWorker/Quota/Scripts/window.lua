-- No script of its own, but what reserve.lua begins with: the slots of the quota's window.
-- KEYS 1 quota: HASH, see reserve.lua
-- moveWindow(key, S, slot) takes out what is older than the window that ends with `slot`. There is no slot after that of the last exchange, and none 604 before it:
-- the work is bounded however long nobody asked. lastSecond(key, slot) adds up the last eleven slots.
-- Returns nothing; requests and tokens.
-- Idempotent because what is out is out.
local function moveWindow(key, S, slot)
  local old = {}
  for s = math.floor(S.first), math.min(slot - 604, math.floor(S.at / 100)) do old[#old + 1], old[#old + 2] = '1:' .. s, '2:' .. s end
  local gone = #old > 0 and redis.call('HMGET', key, unpack(old))
  for n = 1, #old, 2 do S.s1, S.s2 = S.s1 - (gone[n] or 0), S.s2 - (gone[n + 1] or 0) end
  if gone then redis.call('HDEL', key, unpack(old)) end
  S.first = math.max(S.first, slot - 603)
end
local function lastSecond(key, slot)
  local names, sums = {}, {0, 0}
  for s = slot - 10, slot do names[#names + 1], names[#names + 2] = '1:' .. s, '2:' .. s end
  local taken = redis.call('HMGET', key, unpack(names))
  for n = 1, #names, 2 do sums[1], sums[2] = sums[1] + (taken[n] or 0), sums[2] + (taken[n + 1] or 0) end
  return sums
end
