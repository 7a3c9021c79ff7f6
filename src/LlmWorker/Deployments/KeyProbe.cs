using System.ClientModel;
using System.ClientModel.Primitives;

namespace LlmPipeline;

/// <summary>What a free call with a deployment's key has shown.</summary>
internal enum KeyState
{
    /// <summary>The endpoint has no such list, is away, or lists its models for everybody.</summary>
    Unknown,

    /// <summary>The key is refused.</summary>
    Refused,

    /// <summary>The key is accepted, and a call without one is not.</summary>
    Valid,
}

/// <summary>
/// Checks a deployment's key by the list of models, which costs nothing. A result holds for some seconds. Safe for threads.
/// </summary>
internal sealed class KeyProbe(Provider provider, HttpClient http, bool hasKey, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);
    private readonly SemaphoreSlim _one = new(1);
    private KeyState _state;
    private long _checked;

    /// <summary>Checks it, unless that has just been done.</summary>
    public async ValueTask<KeyState> CheckAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_checked != 0 && time.GetElapsedTime(_checked) < Lifetime)
                return _state;
            var answer = await SendAsync(withKey: true, cancellationToken).ConfigureAwait(false);
            _state = answer?.Status switch
            {
                // Once more: a stray refusal of one node of many must not stop a fleet.
                401 or 403 or 407
                    when await SendAsync(withKey: true, cancellationToken).ConfigureAwait(false) is { Status: 401 or 403 or 407 } =>
                    KeyState.Refused,
                // A list that everybody may see says nothing about the key.
                200 when hasKey && await SendAsync(withKey: false, cancellationToken).ConfigureAwait(false) is { Status: 401 or 403 } =>
                    KeyState.Valid,
                _ => KeyState.Unknown,
            };
            _checked = time.GetTimestamp();
            return _state;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Whether the endpoint is a simulator, and says so. One that cannot be asked is none.</summary>
    public async Task<bool> IsSimulatorAsync(CancellationToken cancellationToken) =>
        await SendAsync(withKey: true, cancellationToken).ConfigureAwait(false) is { IsSimulated: true };

    /// <summary>The next check is a new one.</summary>
    public void Forget() => _checked = 0;

    public void Dispose() => _one.Dispose();

    private async Task<HttpAnswer?> SendAsync(bool withKey, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Longest);
        var context = CallContext.Current = CallContext.ForProbe();
        try
        {
            if (withKey)
            {
                using var message = provider.Client.Pipeline.CreateMessage(provider.KeyProbe, "GET");
                message.Apply(new RequestOptions { ErrorOptions = ClientErrorBehaviors.NoThrow, CancellationToken = limit.Token });
                await provider.Client.Pipeline.SendAsync(message).ConfigureAwait(false);
            }
            else
            {
                using var response = await http.GetAsync(provider.KeyProbe, limit.Token).ConfigureAwait(false);
            }

            return context.Answers.LastOrDefault();
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // An endpoint that cannot be asked shows nothing; rows will meet what is wrong.
            return null;
        }
    }
}
