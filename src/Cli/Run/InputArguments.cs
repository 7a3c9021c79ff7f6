using System.CommandLine;

namespace LlmPipeline;

/// <summary>The argument and options that say what the rows are: those of <c>run</c> and <c>submit</c> alike.</summary>
internal sealed class InputArguments
{
    private readonly Argument<string[]> _inputs = new("INPUT")
    {
        Description = "The files of prompts; - for standard input, which needs -o. Several files, or a pattern such as 'data/*.jsonl', are one batch.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<InputAs?> _as = As();
    private readonly Option<string?> _encoding = new("--encoding")
    {
        Description = "The encoding of INPUT, such as windows-1252. Default: UTF-8, or UTF-16 where the file shows it.",
        HelpName = "NAME",
    };

    private readonly Option<string?> _id = new("--id")
    {
        Description = "The column that names the rows in the output. Default: custom_id, else id where no value of it repeats.",
        HelpName = "COLUMN",
    };

    private readonly Option<string[]> _drop = new("--drop")
    {
        Description = "A field of the request bodies that is not sent, such as metadata; repeatable.",
        HelpName = "FIELD",
        AllowMultipleArgumentsPerToken = false,
    };

    private readonly Option<string?> _prompt = new("--prompt")
    {
        Description = "The prompt function that the rows are for: a folder in ./prompts or beside the program, or a path with a /.",
        HelpName = "NAME",
    };

    private readonly Option<string?> _template = new("--template")
    {
        Description = "A template in place of a prompt function: 'Review: {{$review}}' (in single quotes) takes the column review.",
        HelpName = "TEXT",
    };

    private readonly Option<string?> _schema = new("--schema")
    {
        Description = "What the answers must be: a file with a JSON schema, or fields such as 'label: positive|negative, confidence: number'.",
        HelpName = "SCHEMA",
    };

    private readonly Option<string?> _model = new("--model")
    {
        Description = "The model of rows, lines and bodies that name none. Default: the function's, else the setting Model (gpt-4o-mini) for rows and plain text.",
        HelpName = "M",
    };

    private readonly Option<string?> _system = new("--system") { Description = "A system message before each prompt of rows and plain text.", HelpName = "TEXT" };
    private readonly Option<string[]> _set = new("--set")
    {
        Description = "A parameter of the calls for rows and plain text, such as temperature=0; repeatable.",
        HelpName = "NAME=VALUE",
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary>The argument and the options.</summary>
    public IReadOnlyList<Symbol> Symbols => [_inputs, _prompt, _template, _schema, _model, _system, _set, _as, _encoding, _id, _drop];

    /// <summary>What the user gave.</summary>
    public RunOptions Read(ParseResult line) => new()
    {
        Inputs = line.GetRequiredValue(_inputs),
        As = line.GetValue(_as),
        Encoding = line.GetValue(_encoding),
        IdColumn = line.GetValue(_id),
        Drop = line.GetValue(_drop) ?? [],
        Prompt = line.GetValue(_prompt),
        Template = line.GetValue(_template),
        Schema = line.GetValue(_schema),
        Model = line.GetValue(_model),
        System = line.GetValue(_system),
        Set = line.GetValue(_set) ?? [],
    };

    private static Option<InputAs?> As() => new("--as")
    {
        Description = "What INPUT is, whatever it begins with: text (a prompt a line), rows (JSON objects), csv (a table) or batch (requests).",
        HelpName = "KIND",
        CustomParser = result =>
        {
            var typed = result.Tokens[0].Value;
            if (char.IsAsciiLetter(typed.FirstOrDefault()) && Enum.TryParse<InputAs>(typed, ignoreCase: true, out var kind))
                return kind;
            result.AddError($"--as {typed}: text, rows, csv or batch is needed");
            return null;
        },
    };
}
