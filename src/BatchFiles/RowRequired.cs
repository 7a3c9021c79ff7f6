namespace LlmPipeline;

/// <summary>The variables that a prompt function needs, ticked off in one row after the other.</summary>
internal sealed class RowRequired(InputOptions options)
{
    private readonly string[] _names = [.. options.RequiredVariables];
    private readonly bool[] _found = new bool[options.RequiredVariables.Count];

    public void Clear() => Array.Clear(_found);

    public void Found(string name)
    {
        var at = Array.IndexOf(_names, name);
        if (at >= 0) _found[at] = true;
    }

    /// <summary>The first variable that the row doesn't hold; null when it holds all.</summary>
    public RowFault? Fault()
    {
        var at = Array.IndexOf(_found, false);
        return at < 0 ? null : new(_names[at], $"missing; the prompt function {options.PromptName} needs it");
    }
}
