using System.Globalization;
using System.Text;

namespace LlmPipeline;

/// <summary>
/// A claim that stays where it finds no job: the next single job of its partition is given to it as it is enqueued, under a lease, and sent with it
/// (<c>hand.lua</c>). What was sent and not heard is learned from <see cref="QueuePartition.WithdrawAsync"/>.
/// </summary>
/// <param name="Token">The claim's token, and so that of the job which answers it.</param>
/// <param name="Worker">Who claims; no <c>|</c>.</param>
/// <param name="Ear">Hexadecimal digits that nobody else has: by whether somebody listens on the channel of this name it is known whether the claim's process lives.</param>
/// <param name="Results">What the key of a job's result begins with, where results lie on the same server: whether one stands is then looked at as the job is given. Null: they may lie elsewhere.</param>
public sealed record StandingClaim(string Token, string Worker, string Ear, string? Results)
{
    /// <summary>How it lies in <see cref="QueueKeys.Standing"/>.</summary>
    internal string Member(long leaseMilliseconds) => string.Create(CultureInfo.InvariantCulture, $"{Token}|{Worker}|{leaseMilliseconds}|{Ear}|{Results}");
}

/// <summary>A job that a standing claim was answered.</summary>
/// <param name="Token">The claim's.</param>
/// <param name="IsNew">No result of it stands.</param>
/// <param name="At">When it was given, by the clock of Redis.</param>
/// <param name="JobId">The job.</param>
/// <param name="Envelope">As it was enqueued.</param>
public sealed record HandedJob(string Token, bool IsNew, DateTimeOffset At, string JobId, ReadOnlyMemory<byte> Envelope)
{
    /// <summary>Reads a message; null for one that is none.</summary>
    public static HandedJob? Read(ReadOnlyMemory<byte> message)
    {
        var token = Line();
        var isNew = Line();
        var at = Line();
        var id = Line();
        return id is not null && long.TryParse(at, CultureInfo.InvariantCulture, out var milliseconds)
            ? new HandedJob(token!, isNew == "1", DateTimeOffset.FromUnixTimeMilliseconds(milliseconds), id, message)
            : null;

        string? Line()
        {
            var length = message.Span.IndexOf((byte)'\n');
            if (length < 0)
                return null;
            var line = Encoding.UTF8.GetString(message.Span[..length]);
            message = message[(length + 1)..];
            return line;
        }
    }
}
