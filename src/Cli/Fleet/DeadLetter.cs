using System.Globalization;

namespace LlmPipeline;

/// <summary>A dead letter in a list.</summary>
internal sealed record DeadLetter
{
    public required string Job { get; init; }

    public required string Queue { get; init; }

    public required DateTimeOffset Buried { get; init; }

    public string? Batch { get; init; }

    public string? CustomId { get; init; }

    /// <summary>Null when its result is no longer kept.</summary>
    public int? Attempts { get; init; }

    public int? StatusCode { get; init; }

    public string? ErrorCode { get; init; }

    public string? ErrorMessage { get; init; }

    public static DeadLetter Of(string queue, DeadJob dead, JobResult? result) => new()
    {
        Job = dead.Id,
        Queue = queue,
        Buried = dead.Buried,
        Batch = dead.Job?.Batch,
        CustomId = dead.Job?.CustomId,
        Attempts = result?.Meta.Attempts,
        StatusCode = result?.Meta.StatusCode,
        ErrorCode = result?.Meta.Error?.Code,
        ErrorMessage = result?.Meta.Error?.Message,
    };

    public string[] ToCells() =>
    [
        Job, Queue, Buried.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture), Attempts?.ToString(CultureInfo.InvariantCulture) ?? "?", ErrorText(),
    ];

    private string ErrorText()
    {
        var text = string.Join(": ", new[] { ErrorCode ?? (StatusCode is null ? null : $"HTTP {StatusCode}"), ErrorMessage }.Where(part => !string.IsNullOrEmpty(part)));
        return text.Length == 0 ? "(its error is no longer kept)" : SafeText.Line(text, 100);
    }
}
