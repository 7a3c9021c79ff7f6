using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Where one job is, at one moment. Where the lists are too long to be looked through, it counts as none that waits.</summary>
internal sealed record DoctorFacts(bool Envelope, int Waiting, bool Delayed, bool Inflight, bool Dead, int Lease, bool Asked, bool ListsAreLong)
{
    /// <summary>Reads what <c>examine.lua</c> answers.</summary>
    public static DoctorFacts Read(RedisResult[] answer) => new(
        (int)answer[1] == 1, (int)answer[2], (int)answer[3] == 1, (int)answer[4] == 1, (int)answer[5] == 1, (int)answer[6], (int)answer[7] == 1, (int)answer[8] == 1);

    /// <summary>What is wrong; null when nothing is.</summary>
    public string? Fault()
    {
        List<string> places = [.. Enumerable.Repeat("waiting", Waiting)];
        if (Delayed)
            places.Add("delayed");
        if (Inflight)
            places.Add("in flight");
        if (Dead)
            places.Add("dead");
        var where = string.Join(" and ", places);
        return (Envelope, places.Count) switch
        {
            (false, > 0) => $"is {where} without an envelope: there is nothing to run",
            (false, _) when Lease > 0 => "has a lease and is gone",
            (false, _) when Asked => "was asked to stop and is gone",
            (false, _) => null,
            (_, 0) when ListsAreLong => null,
            (_, 0) => "is in no place: nobody would ever run it",
            (_, > 1) => $"is in more than one place: {where}",
            _ when Inflight && Lease != 2 => "is in flight without a token",
            _ when !Inflight && Lease == 2 => $"has the token of a claim and is {where}",
            _ when Dead && (Lease > 0 || Asked) => "is dead and has a lease or was asked to stop",
            _ => null,
        };
    }
}
