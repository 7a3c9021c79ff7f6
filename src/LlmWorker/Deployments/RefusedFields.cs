using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace LlmPipeline;

/// <summary>
/// The fields of a request that the models of a deployment refuse, as far as known. Models have the provider's names here. Safe for many
/// threads.
/// </summary>
internal sealed class RefusedFields
{
    // Names of models come from callers. For models beyond this number nothing is remembered: each of their calls is refused once.
    private const int MostModels = 1000;

    private readonly ConcurrentDictionary<string, ImmutableHashSet<string>> _fields = new(StringComparer.Ordinal);

    /// <summary>Those that a model refuses.</summary>
    public ImmutableHashSet<string> Of(string model) => _fields.GetValueOrDefault(model, []);

    /// <summary>A call of the model was refused for a field.</summary>
    /// <returns>Whether that was not known.</returns>
    public bool Add(string model, string field)
    {
        if (_fields.Count >= MostModels && !_fields.ContainsKey(model))
            return false;
        while (true)
        {
            var known = _fields.GetOrAdd(model, []);
            if (known.Contains(field))
                return false;
            if (_fields.TryUpdate(model, known.Add(field), known))
                return true;
        }
    }
}
