using System.Collections.Concurrent;

namespace LlmPipeline;

/// <summary>Prompt functions by the hash of their files: those that this process was given, and those that came with a batch.</summary>
public sealed class PromptFunctionSource(PromptQueue queue)
{
    private readonly ConcurrentDictionary<string, PromptFunction> _known = new();

    /// <summary>Makes a function known to this process.</summary>
    public void Add(PromptFunction function)
    {
        ArgumentNullException.ThrowIfNull(function);
        _known[function.Sha] = function;
    }

    /// <summary>Finds the function of a hash.</summary>
    /// <exception cref="PromptFunctionException">Nobody submitted it, or it is broken.</exception>
    public async ValueTask<PromptFunction> FindAsync(string sha, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(sha, out var known))
            return known;
        cancellationToken.ThrowIfCancellationRequested();
        var found = await queue.LoadPromptAsync(sha).WaitAsync(cancellationToken).ConfigureAwait(false)
            ?? throw new PromptFunctionException($"no prompt function with the hash {sha} was submitted to this Redis");
        var function = PromptFunction.FromFiles(found.Name, found.Files);
        return _known.GetOrAdd(sha, function);
    }
}
