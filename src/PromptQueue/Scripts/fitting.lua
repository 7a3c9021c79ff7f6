-- The functions of claim.lua that take from a lane. dropTaken(lane) drops the places at its head that sweep.lua has emptied, 2000 at most, and returns how many.
-- popFitting takes ids from the head, and those back whose envelopes do not fit, which are not read.
-- KEYS 1 of the function: lane, LIST  2 jobs, HASH; ids at most; bytes spent so far; bytes at most; whether any envelope was taken before:
--      the first always passes
-- Returns the ids that fit, how many were popped, the bytes spent now, whether any envelope was taken, true when one did not fit
-- Idempotent as little as the claim that it is part of.
local function dropTaken(lane)
  if redis.call('LINDEX', lane, 0) ~= '{}' then return 0 end
  local ids, n = redis.call('LRANGE', lane, 0, 1999), 0
  while ids[n + 1] == '{}' do n = n + 1 end
  if n > 0 then redis.call('LTRIM', lane, n, -1) end
  return n
end
-- Counts those that are gone; of an empty lane there are none, whatever somebody has done to it by hand.
local function countTaken(meta, field, gone, isEmpty)
  if isEmpty then redis.call('HDEL', meta, field) elseif gone > 0 then redis.call('HINCRBY', meta, field, -gone) end
end
local function popFitting(lane, jobs, width, spent, budget, any)
  local ids = redis.call('LPOP', lane, width) or {}
  -- Garnet answers one popped element as a string.
  if type(ids) == 'string' then ids = {ids} end
  local popped = #ids
  for i, id in ipairs(ids) do
    local size = redis.call('HSTRLEN', jobs, id)
    if any and size > 0 and spent + size > budget then
      for n = popped, i, -1 do redis.call('LPUSH', lane, ids[n]) ids[n] = nil end
      return ids, popped, spent, any, true
    end
    any, spent = any or size > 0, spent + size
  end
  return ids, popped, spent, any, false
end
