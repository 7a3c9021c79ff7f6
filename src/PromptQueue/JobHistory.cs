using System.Globalization;

namespace LlmPipeline;

/// <summary>What earlier claims of a job leave to the next ones.</summary>
/// <param name="Used">What their calls have used.</param>
/// <param name="Refused">Their refusal that is not judged yet; null for none. Its time is by the clock of Redis.</param>
internal readonly record struct JobHistory(JobUsage Used, JobRefusal? Refused)
{
    /// <summary>As the scripts keep it; empty for nothing.</summary>
    public static string Encode(JobHistory history)
    {
        if (history == default)
            return "";
        var (nanos, input, cached, output) = history.Used;
        var used = string.Create(CultureInfo.InvariantCulture, $"{nanos},{input},{cached},{output}");
        return history.Refused is { } refused
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"{used},{refused.Scope},{refused.Since.ToUnixTimeMilliseconds()},{(refused.HasAnswered ? 1 : 0)}")
            : used;
    }

    /// <summary>Reads what <see cref="Encode"/> wrote.</summary>
    public static JobHistory Decode(string text)
    {
        var parts = text.Split(',');
        var used = new JobUsage(parts[0].Length == 0 ? null : Number(parts[0]), Number(parts[1]), Number(parts[2]), Number(parts[3]));
        return new JobHistory(used, parts.Length < 7 ? null : new JobRefusal(
            ulong.Parse(parts[4], CultureInfo.InvariantCulture), DateTimeOffset.FromUnixTimeMilliseconds(Number(parts[5])), parts[6] == "1"));

        static long Number(string digits) => long.Parse(digits, CultureInfo.InvariantCulture);
    }
}
