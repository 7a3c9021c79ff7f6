using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Whether the user of a connection may do what the program needs. It asks inside MULTI: a server refuses a command that is not permitted
/// when it is queued, and DISCARD drops the others.
/// </summary>
internal static class RedisPermissions
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>What is missing, one line each; none when all is permitted.</summary>
    /// <exception cref="RedisUnreachableException">A server cannot be asked.</exception>
    public static async Task<IReadOnlyList<string>> MissingAsync(
        RedisConnections redis, RedisNeeds needs, CancellationToken cancellationToken)
    {
        var missing = new List<string>();
        foreach (var server in redis.Masters().Select(master => master.EndPoint).ToList())
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(Patience);
            try
            {
                missing.AddRange(await OfServerAsync(redis.Options, server, needs, patience.Token).ConfigureAwait(false));
            }
            catch (Exception e) when (e is SocketException or IOException or AuthenticationException
                || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                throw new RedisUnreachableException(redis.Name, "its permissions cannot be asked for", e);
            }
        }

        return [.. missing.Distinct()];
    }

    private static async Task<List<string>> OfServerAsync(
        ConfigurationOptions options, EndPoint server, RedisNeeds needs, CancellationToken cancellationToken)
    {
        var missing = new List<string>();
        await using var probe = await RedisProbe.OpenAsync(server, options.Ssl, options, cancellationToken).ConfigureAwait(false);
        if (await probe.AuthenticateAsync(options, cancellationToken).ConfigureAwait(false) is { } refusal)
            throw new IOException(refusal);
        var begun = await AskAsync("MULTI").ConfigureAwait(false);
        if (begun.StartsWith("-NOAUTH", StringComparison.Ordinal))
            return ["the user and the password"];
        if (IsDenied(begun))
            return ["the command MULTI, and DISCARD, by which the others are checked"];
        // Which command it is does not matter, as long as it writes: it is never run.
        var keys = await AskAllAsync(needs.Keys.Select(key => (string[])["HDEL", $"{key.Example}", "f"])).ConfigureAwait(false);
        missing.AddRange(needs.Keys.Where((_, n) => IsDenied(keys[n]) && !IsOfCommand(keys[n])).Select(key => $"the keys {key.Pattern}"));
        var others = needs.Keys.Where((_, n) => !IsDenied(keys[n]) || IsOfCommand(keys[n]));
        if (others.Select(key => $"{key.Example}").FirstOrDefault() is { } permitted)
        {
            var words = RedisNeeds.Commands.Select(command => Array.ConvertAll(command.Split(' '), word => word == "k"
                ? permitted
                : word)).ToList();
            var commands = await AskAllAsync(words).ConfigureAwait(false);
            missing.AddRange(words.Where((_, n) => IsDenied(commands[n])).Select(command => $"the command {command[0]}"));
        }

        var channels = await AskAllAsync(needs.Channels.Select(one => (string[])["PUBLISH", one.Example, ""])).ConfigureAwait(false);
        missing.AddRange(needs.Channels.Where((_, n) => IsDenied(channels[n]) && !IsOfCommand(channels[n]))
            .Select(channel => $"the channels {channel.Pattern}"));
        if (channels.Any(IsOfCommand))
            missing.Add("the command PUBLISH");
        await AskAsync("DISCARD").ConfigureAwait(false);
        if (needs.Channels.Count > 0 && IsOfCommand(await AskAsync("SUBSCRIBE", needs.Channels[0].Example).ConfigureAwait(false)))
            missing.Add("the command SUBSCRIBE");
        return missing;

        Task<IReadOnlyList<string>> AskAllAsync(IEnumerable<string[]> commands) => probe.AskAllAsync([.. commands], cancellationToken);

        Task<string> AskAsync(params string[] words) => probe.AskAsync(cancellationToken, words);
    }

    private static bool IsDenied(string answer) => answer.StartsWith("-NOPERM", StringComparison.Ordinal);

    // Else it is the key, or the channel.
    private static bool IsOfCommand(string answer) => IsDenied(answer) && answer.Contains("to run the", StringComparison.Ordinal);
}
